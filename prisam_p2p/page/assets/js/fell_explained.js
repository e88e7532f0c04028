/* The lower figures of view 4: what happened at a peer in a round, and which classes it lost. */
"use strict";

(function () {
  const { text } = prisam;
  const { MOMENTS, axisName } = prisam.charts;
  const { modelOf, deepest, nothing } = prisam.fellModel;
  const NOT_RECORDED = "not recorded";
  /** By the numbers of the moments. */
  const MOMENT_WORDS = ["trained", "averaged, before recalibration", "aggregated", "fine-tuned"];
  /** In the order of what happened: [moment, its place in the palette]. */
  const BARS = [
    [MOMENTS.TRAINED, 3],
    [MOMENTS.AVERAGED, 4],
    [MOMENTS.AGGREGATED, 0],
    [MOMENTS.FINE_TUNED, 2],
  ];

  /**
   * The peer and round that the lower figures explain: those selected, or else the deepest fall.
   */
  function explained({ store, selection }) {
    if (selection.peer !== null && selection.round !== null)
      return { peer: selection.peer, round: selection.round };
    const model = modelOf(store, "test");
    const within = {
      ...model,
      changes: model.changes.map((change, i) => {
        const [peer, round] = [model.peers[Math.floor(i / model.rounds)], i % model.rounds];
        return (selection.peer ?? peer) === peer && (selection.round ?? round) === round
          ? change
          : null;
      }),
    };
    return deepest(within);
  }

  /** Which peer and round a figure explains, and why these. */
  function heading({ peer, round }, { store, selection }) {
    const [fixed, chosen] = [selection.peer !== null, selection.round !== null];
    if (fixed && chosen) return `${store.peerId(peer)} in round ${round}.`;
    const of = fixed ? " of this peer" : chosen ? " in this round" : "";
    return (
      `${store.peerId(peer)} in round ${round}: the deepest fall${of}. Click on a cell for ` +
      "another one."
    );
  }

  // What happened there ---------------------------------------------------------------------

  /** What happened at a peer in a round, as rows for people. */
  function detail(c) {
    const { store } = c;
    const which = explained(c);
    if (!which) return { option: null, empty: nothing(store) };
    return {
      option: null,
      tableOnly: true,
      notes: [heading(which, c)],
      table: {
        columns: ["what", "value"],
        rows: [
          ...takingPart(store, which),
          ...accuracyRows(store, which),
          ...groupRows(store, which),
          ["failed pulls", pairs(store, failedPulls(store, which), (why) => why)],
          ...maskRows(store, which),
        ],
      },
    };
  }

  const ids = (store, peers) =>
    peers ? peers.map((each) => store.peerId(each)).join(", ") || "none" : NOT_RECORDED;

  /** Peers, each with what `words` says of its value. */
  const pairs = (store, list, words) =>
    list
      ? list.map(([peer, value]) => `${store.peerId(peer)}: ${words(value)}`).join("; ") || "none"
      : NOT_RECORDED;

  /** Said only of a round that the peer sat out. */
  const takingPart = (store, { peer, round }) =>
    store
      .table("sat_out")
      .rowsOf(peer, round)
      .map(() => ["took part", "no: it sat this round out, because it was not drawn for it"]);

  const accuracyRows = (store, { peer, round }) =>
    store
      .table("accuracy")
      .rowsOf(peer, round)
      .map((row) => [
        `accuracy ${MOMENT_WORDS[row.moment]}`,
        `test ${text.share(row.test)}, validation ${text.share(row.validation)}`,
      ]);

  const trainedModel = (store, peer, round) =>
    store.table("choices").rowsOf(peer, round)[0]?.choice ?? NOT_RECORDED;

  function groupRows(store, { peer, round }) {
    const group = store.table("groups").rowsOf(peer, round)[0];
    const { prune_ratio, members, chosen, averaged, norms, rejected } = group ?? {};
    // A round that came to averaging without a rejection has no list of them.
    const refused = rejected ?? (group ? [] : null);
    return [
      ["prune ratio rho", text.known(prune_ratio) ? text.number(prune_ratio, 3) : NOT_RECORDED],
      ...(store.facts.models ? [["model that it trained", trainedModel(store, peer, round)]] : []),
      ["its group", ids(store, members)],
      ["chosen to pull from", ids(store, chosen)],
      ["in the average", ids(store, averaged)],
      ["norm of their weights over its own", pairs(store, norms, (x) => text.number(x, 3))],
      ["rejected weights", pairs(store, refused, (check) => `check ${check}`)],
    ];
  }

  /** The pulls of a peer in a round that failed, as [donor, why]. */
  function failedPulls(store, { peer, round }) {
    const { peer: pullers, round: rounds, donor, outcome, reason } = store.table("pulls").columns;
    return (pullers || []).flatMap((each, i) =>
      each === peer && rounds[i] === round && outcome[i] === "failed"
        ? [[donor[i], reason[i]]]
        : [],
    );
  }

  function maskRows(store, { peer, round }) {
    const { missing, waited_s, slowest } = store.table("arrivals").rowsOf(peer, round)[0] ?? {};
    const waited = `${text.seconds(waited_s)}; the last came from ${ids(store, slowest)}`;
    return [
      ["missing masks", pairs(store, missing, (why) => why)],
      ["waited for masks", text.known(waited_s) ? waited : NOT_RECORDED],
    ];
  }

  // Accuracy by class -----------------------------------------------------------------------

  const without = (store) =>
    store.table("per_class").n
      ? "No accuracy by class is in the page of this peer and round. Of long runs it holds " +
        "every few rounds."
      : "No accuracy by class is recorded in this run.";

  /** Accuracy by class before and after aggregation. */
  function classes(c) {
    const { store } = c;
    const which = explained(c);
    const rows = which ? store.table("per_class").rowsOf(which.peer, which.round) : [];
    if (!rows.length) return { option: null, empty: without(store) };
    const n = Math.max(...rows.map((row) => row.right.length));
    const names = Array.from({ length: n }, (_, i) => String((store.facts.classes || [])[i] ?? i));
    const heads = names.map((name, i) =>
      rows.some((row) => row.of[i]) ? name : `${name} (no images)`,
    );
    const bars = barsOf(rows, n);
    return {
      decal: true,
      option: classesOption(c, heads, bars),
      height: 260,
      notes: [heading(which, c)],
      table: {
        columns: ["class", ...bars.flatMap(({ name }) => [`${name}: right`, `${name}: of`])],
        rows: names.map((name, i) => [
          name,
          ...bars.flatMap(({ row }) => [row.right[i], row.of[i]]),
        ]),
      },
      summary: `Accuracy by class, trained and aggregated, of ${heading(which, c)}`,
    };
  }

  /** The moments that rows tell of: {name, place in the palette, row, values: share by class}. */
  const barsOf = (rows, n) =>
    BARS.flatMap(([moment, place]) => {
      const row = rows.find((each) => each.moment === moment);
      const shareOf = (_, i) => (row.of[i] ? row.right[i] / row.of[i] : null);
      return row
        ? [{ name: MOMENT_WORDS[moment], place, row, values: Array.from({ length: n }, shareOf) }]
        : [];
    });

  function classesOption({ palette }, heads, bars) {
    return {
      legend: { top: 0 },
      tooltip: { trigger: "axis", formatter: (items) => classTip(items, bars) },
      grid: { top: 36, bottom: 40, left: 8, right: 16, containLabel: true },
      xAxis: { type: "category", data: heads, ...axisName("class") },
      yAxis: {
        type: "value",
        min: 0,
        max: 1,
        axisLabel: { formatter: (value) => text.share(value, 0) },
      },
      series: bars.map(({ name, place, values }) => ({
        type: "bar",
        name,
        data: values,
        itemStyle: { color: palette.mark(place).color, decal: palette.mark(place).decal },
      })),
    };
  }

  const classTip = (items, bars) =>
    text.tooltip(
      `class ${items[0].name}`,
      items.map(({ seriesName, seriesIndex, dataIndex, value }) => {
        const { right, of } = bars[seriesIndex].row;
        return [seriesName, `${text.share(value)}, ${right[dataIndex]} of ${of[dataIndex]} images`];
      }),
    );

  prisam.fellExplained = [
    { id: "round", title: "What happened there", follows: ["peer", "round"], build: detail },
    {
      id: "classes",
      title: "Accuracy by class, before and after",
      follows: ["peer", "round"],
      build: classes,
    },
  ];
})();
