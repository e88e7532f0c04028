/* View 9, faults: for each occurrence, when it was applied, when it was seen to work, when it
   ended. */
"use strict";

(function () {
  const ROW = 36;
  const LANE = 10;
  const MOST_ROWS = 20; // pixels; more rows are scrolled
  const PLUS = "path://M4,0h2v4h4v2h-4v4h-2v-4h-4v-2h4z";
  /**
   * The moments of an occurrence in the order in which they come, each with a shape of its own. Its
   * lane keeps moments apart that come close upon each other: above the row's middle, or below.
   */
  const MOMENTS = [
    { key: "planned_s", name: "planned", symbol: "circle", hollow: true, lane: -1 },
    { key: "applied_s", name: "applied", symbol: "triangle", lane: 0 },
    { key: "verified_s", name: "verified", symbol: "rect", lane: 1 },
    { key: "healed_s", name: "healed", symbol: "diamond", lane: 0 },
    { key: "first_round_after_s", name: "first round after", symbol: PLUS, lane: 0 },
  ];

  function build(c) {
    const rows = occurrencesOf(c.store);
    if (!rows.length)
      return {
        option: null,
        empty: "This run had no fault plan: nothing was planned to go wrong.",
      };
    return {
      height: 90 + ROW * Math.min(rows.length, MOST_ROWS),
      option: optionOf(c, rows),
      notes:
        rows.length > MOST_ROWS
          ? [
              `${rows.length} occurrences: the bar at the right of the figure moves over all of ` +
                "them.",
            ]
          : [],
      table: tableOf(rows, c.store),
      summary: summaryOf(rows),
    };
  }

  /**
   * Return the rows of `faults` in the order of their times. A fault without a planned second (it
   * waits for a phase of a round) was planned for when it was applied, less how late that was.
   */
  function occurrencesOf(store) {
    const rows = store
      .table("faults")
      .rows()
      .map((row) => ({
        ...row,
        planned_s:
          row.planned_s ?? (row.applied_s == null ? null : row.applied_s - (row.late_s || 0)),
      }));
    const begin = (row) => row.applied_s ?? row.planned_s ?? Infinity;
    return rows.sort(
      (a, b) => begin(a) - begin(b) || a.round - b.round || (a.occurrence < b.occurrence ? -1 : 1),
    );
  }

  function optionOf(c, rows) {
    const scrolled = rows.length > MOST_ROWS;
    const end = Math.max(
      c.store.facts.duration_s ?? c.store.facts.now_s ?? 0,
      ...rows.map((row) => row.first_round_after_s ?? 0),
    );
    return {
      legend: { top: 0, itemWidth: 13, itemHeight: 11, data: MOMENTS.map((moment) => moment.name) },
      grid: { left: 190, right: scrolled ? 44 : 24, top: 36, bottom: 44 },
      xAxis: {
        type: "value",
        min: 0,
        max: end,
        ...prisam.charts.axisName("seconds of the run"),
        axisLabel: { showMaxLabel: false },
      },
      yAxis: {
        type: "category",
        inverse: true,
        data: rows.map((row) => row.occurrence),
        axisLabel: { formatter: (_, i) => labelOf(c, rows[i]), rich: {} },
      },
      dataZoom: scrolled
        ? [
            {
              type: "slider",
              yAxisIndex: 0,
              startValue: 0,
              endValue: MOST_ROWS - 1,
              width: 18,
              showDetail: false,
            },
          ]
        : [],
      tooltip: { formatter: (item) => tip(c, rows[item.data.row]) },
      series: [bands(c, rows, end), ...MOMENTS.map((moment) => markers(c, rows, moment))],
    };
  }

  function labelOf(c, row) {
    const chosen = row.occurrence === c.selection.fault ? "▶ " : "";
    const { symbol } = c.palette.verdict(row.verdict);
    return `${chosen}${symbol} ${prisam.text.short(row.occurrence, 22)}`;
  }

  /** The time in which a fault held: from its application to its heal, or to the end of the run. */
  function bands(c, rows, end) {
    return {
      type: "custom",
      name: "in force",
      silent: false,
      encode: { x: [1, 2], y: 0 },
      data: rows.map((row, i) => ({
        value: [i, row.applied_s ?? NaN, row.healed_s ?? end],
        row: i,
      })),
      renderItem: (params, api) => {
        const [x, y] = api.coord([api.value(1), api.value(0)]);
        const [to] = api.coord([api.value(2), api.value(0)]);
        const row = rows[api.value(0)];
        const height = 0.8 * api.size([0, 1])[1];
        if (row.applied_s == null) return null;
        const chosen = row.occurrence === c.selection.fault;
        return {
          type: "rect",
          name: "band",
          shape: { x, y: y - height / 2, width: Math.max(1, to - x), height },
          style: {
            fill: c.palette.verdict(row.verdict).color,
            opacity: chosen ? 0.55 : 0.25,
            stroke: chosen ? c.palette.text : "none",
            lineWidth: 1.5,
          },
        };
      },
    };
  }

  function markers(c, rows, moment) {
    return {
      type: "scatter",
      name: moment.name,
      symbol: moment.symbol,
      symbolSize: 11,
      z: 4,
      symbolOffset: [0, LANE * moment.lane],
      itemStyle: moment.hollow
        ? { color: c.palette.surface, borderColor: c.palette.text, borderWidth: 2 }
        : { color: c.palette.text, borderColor: c.palette.surface, borderWidth: 0.5 },
      data: rows.flatMap((row, i) =>
        row[moment.key] == null ? [] : [{ value: [row[moment.key], i], row: i }],
      ),
    };
  }

  // In words --------------------------------------------------------------------------------

  const peersText = (row, store) => row.peers.map((peer) => store.peerId(peer)).join(" ");
  const linksText = (row, store) =>
    row.links.map(([a, b]) => `${store.peerId(a)}→${store.peerId(b)}`).join(" ");

  function tip(c, row) {
    const times = MOMENTS.filter((moment) => row[moment.key] != null).map((moment) => [
      moment.name,
      prisam.text.seconds(row[moment.key]),
    ]);
    return prisam.text.tooltip(
      row.occurrence,
      [
        ["kind", row.kind],
        ["peers", prisam.text.short(peersText(row, c.store), 60)],
        ["round", row.round],
        ["asked for", row.planned],
        ...times,
        ["late", prisam.text.seconds(row.late_s)],
        ["verdict", [row.verdict, row.why].filter(Boolean).join(": ")],
        ["evidence", prisam.text.short(row.evidence ?? "", 80)],
        ["cost", row.cost ?? ""],
      ].filter(([, text]) => text !== "" && text != null),
    );
  }

  function tableOf(rows, store) {
    return {
      columns: [
        "occurrence",
        "kind",
        "peers",
        "links",
        "round",
        "planned",
        "applied, s",
        "verified, s",
        "healed, s",
        "first round after",
        "late, s",
        "verdict",
        "why",
        "evidence",
        "cost",
      ],
      rows: rows.map((row) => [
        row.occurrence,
        row.kind,
        peersText(row, store),
        linksText(row, store),
        row.round,
        row.planned,
        row.applied_s,
        row.verified_s,
        row.healed_s,
        row.first_round_after,
        row.late_s,
        row.verdict,
        row.why,
        row.evidence,
        row.cost,
      ]),
    };
  }

  function summaryOf(rows) {
    const counts = new Map();
    for (const row of rows) counts.set(row.verdict, (counts.get(row.verdict) || 0) + 1);
    const words = [...counts].map(([verdict, n]) => `${n} with the verdict ${verdict}`);
    return `${rows.length} planned occurrences: ${words.join(", ")}.`;
  }

  prisam.view({
    id: "faults",
    title: "Faults",
    order: 9,
    tables: ["faults", "peers"],
    how:
      "Each row is an occurrence of the fault plan. Its band is the time in which the fault was " +
      "in force; the shapes on it are its moments: planned, applied, verified (there is evidence " +
      "that it had its effect), healed, and when the last healed peer had finished its first " +
      "round after that. The sign before its name is the verdict: ✓ it fired, bit and was " +
      "contained, ✗ it did not, ? unknown or not judged. Choose a row to see this fault in all " +
      "views.",
    figures: [
      {
        id: "faults",
        title: "From plan to recovery",
        follows: ["fault"],
        build,
        click: (event, c) =>
          event.data && event.data.row !== undefined
            ? { fault: occurrencesOf(c.store)[event.data.row].occurrence }
            : null,
      },
    ],
  });
})();
