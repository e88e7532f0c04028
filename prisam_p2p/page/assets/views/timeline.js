/* View 2: who did what, when. A row a peer, x is the run's clock. */
"use strict";

(function () {
  const { modelOf, roundWindow, pausesOf } = prisam.timelineModel;
  const draw = prisam.timelineDraw;

  const LEGEND_ROW_PX = 22;
  const LEGEND_SYMBOL_PX = 45; // a name's symbol, and the gaps about both
  const BOTTOM_PX = 78; // seconds, and the slider of the window
  const ROW_PX = [
    [16, 34],
    [40, 20],
    [100, 10],
    [Infinity, 6],
  ]; // up to so many peers, a row is so high
  const ICONS = { [draw.PAUSES]: prisam.charts.PAUSE, notes: "diamond" }; // of what is no bar
  const MARGIN = 0.05; // of a round or a fault, on both sides when it is zoomed to

  const seen = { scale: null, bands: [], figure: null };

  function build(c) {
    const { store, selection, palette, controls } = c;
    const model = modelOf(store, controls.order);
    const empty = nothing(store, model);
    if (empty) return { option: null, empty };
    const bands = draw.bandsOf(store, model);
    const notes = store.table("notes").rows();
    const pauses = pausesOf(store);
    seen.figure = { model, bands, notes, pauses };
    const rowPx = ROW_PX.find(([most]) => model.peers.length <= most)[1];
    const phases = model.phases.map((_, phase) => phase).filter((phase) => used(model, phase));
    const series = [
      draw.groupSeries(model, store, palette),
      draw.faultSeries(bands, selection.fault, palette, seen),
      draw.gapSeries(model, palette),
      ...phases.map((phase) => draw.phaseSeries(model, phase, palette)),
      ...Object.keys(draw.OUTCOMES)
        .filter((outcome) => pulled(model, outcome))
        .map((outcome) => draw.pullSeries(model, outcome, palette)),
      ...(pauses.size ? [draw.pauseSeries(pauses, model, palette)] : []),
      draw.selectionSeries(model, store, selection, palette),
      draw.noteSeries(notes, model, palette),
    ];
    const legend = legendOf(
      series
        .map((each) => each.name)
        .filter((name) => !["groups", "faults", "arrows"].includes(name)),
      c.width,
    );
    const top =
      legend.height + draw.NOTES_PX + (bands.length ? draw.FAULT_LANES * draw.FAULT_LANE_PX : 0);
    return {
      option: optionOf(c, model, series, legend.option, top, shownWindow(c, model, bands)),
      height: top + model.peers.length * rowPx + BOTTOM_PX,
      zoomed: JSON.stringify([
        controls,
        controls.window === "round" && [selection.round, selection.peer],
        controls.window === "fault" && selection.fault,
      ]),
      notes: remarks(store, model, bands),
      table: () => tableOf(store, model),
      summary:
        `Timeline of ${model.peers.length} peers over ${prisam.text.seconds(model.end_s, 1)}: ` +
        `${prisam.text.number(model.nSpans)} spans, ${prisam.text.number(model.nPulls)} pulls, ` +
        `${bands.length} faults. The table lists all of them.`,
    };
  }

  /** The legend, and how high it is: names in as many rows as the width asks for. */
  const legendOf = (names, width) => ({
    height: prisam.charts.legendRows(names, width, LEGEND_SYMBOL_PX) * LEGEND_ROW_PX + 14,
    option: {
      type: "plain",
      top: 0,
      left: 0,
      right: 0,
      itemHeight: 12,
      itemGap: 8,
      data: names.map((name) => (ICONS[name] ? { name, icon: ICONS[name] } : { name })),
      icon: "rect",
    },
  });

  function nothing(store, model) {
    if (model.nSpans || model.nPulls) return "";
    return store.facts.status === "running"
      ? "Nothing is recorded yet."
      : "The peers of this run recorded nothing of their time.";
  }

  const used = (model, phase) =>
    model.peers.some((peer) => model.spanLists.has(peer * model.phases.length + phase));
  const pulled = (model, outcome) => (model.pull.outcome || []).includes(outcome);

  /** From when to when the plot shows, in seconds, before the reader zooms. */
  function shownWindow({ selection, controls }, model, bands) {
    let range = null;
    if (controls.window === "round" && selection.round !== null)
      range = roundWindow(model, selection.round, selection.peer);
    const band = bands.find(({ fault }) => fault.occurrence === selection.fault);
    if (controls.window === "fault" && band) range = [band.begin_s, band.end_s];
    if (range) {
      const margin = Math.max(0.01, (range[1] - range[0]) * MARGIN);
      return [Math.max(0, range[0] - margin), Math.min(model.end_s, range[1] + margin)];
    }
    const [from, to] = [Number(controls.from) / 100, Number(controls.to) / 100].sort(
      (a, b) => a - b,
    );
    return from === to ? [0, model.end_s] : [from * model.end_s, to * model.end_s];
  }

  function optionOf({ store }, model, series, legend, top, [startValue, endValue]) {
    const names = model.peers.map((peer) => prisam.charts.peerName(store, peer));
    return {
      tooltip: null,
      legend,
      grid: { top, bottom: BOTTOM_PX, left: 8, right: 18, containLabel: true },
      xAxis: {
        type: "value",
        min: 0,
        max: model.end_s,
        ...prisam.charts.axisName("seconds", 22),
        axisLabel: {
          hideOverlap: true,
          showMaxLabel: false,
          formatter: (t_s) => String(Number(t_s.toPrecision(5))),
        },
      },
      yAxis: {
        type: "category",
        inverse: true,
        data: names,
        axisTick: { show: false },
      },
      dataZoom: [
        {
          type: "inside",
          filterMode: "none",
          startValue,
          endValue,
          zoomOnMouseWheel: "ctrl",
          moveOnMouseMove: true,
        },
        {
          type: "slider",
          filterMode: "none",
          startValue,
          endValue,
          bottom: 10,
          height: 20,
          showDataShadow: false,
          labelFormatter: (value) => prisam.text.seconds(value, 1),
        },
      ],
      series,
    };
  }

  function remarks(store, model, bands) {
    const missed = store.table("faults").n - bands.length;
    const watched = (store.facts.watched || []).map(
      ([from, to]) =>
        `from ${prisam.text.seconds(from, 1)} to ` +
        `${to === null ? "its end" : prisam.text.seconds(to, 1)}`,
    );
    return [
      model.nSpans
        ? ""
        : "No phases: this run was recorded by an older version. The lanes show its pulls of " +
          "weights.",
      missed ? `Faults without a band, because they were not applied: ${missed}.` : "",
      watched.length ? `The run was watched on a live page ${watched.join(", ")}.` : "",
    ].filter(Boolean);
  }

  /** All spans, pulls and rounds that were sat out, as rows; each kind by peer and begin. */
  function tableOf(store, model) {
    const { span, pull } = model;
    const rows = store
      .table("spans")
      .order()
      .map((i) => [
        store.peerId(span.peer[i]),
        "span",
        model.phases[span.phase[i]],
        span.round[i],
        span.begin_s[i],
        span.end_s[i],
        "",
      ]);
    for (const i of store.table("pulls").order()) {
      rows.push([
        store.peerId(pull.peer[i]),
        "pull",
        `from ${store.peerId(pull.donor[i])}`,
        pull.round[i],
        pull.began_s[i],
        pull.end_s[i],
        pull.reason[i] || pull.outcome[i],
      ]);
    }
    for (const { peer, round, begin_s, end_s } of store.table("sat_out").rows())
      rows.push([
        store.peerId(peer),
        "sat out",
        "not drawn to take part",
        round,
        begin_s,
        end_s,
        "",
      ]);
    return { columns: ["peer", "kind", "what", "round", "begin_s", "end_s", "outcome"], rows };
  }

  const find = ({ x, y }, store) =>
    seen.scale && seen.figure
      ? prisam.timelineTip.find(seen.figure, store, seen.scale, x, y)
      : null;

  const percent = (id, label, value) => ({
    id,
    label,
    value,
    range: () => ({ min: 0, max: 100, step: 1, text: (at) => `${at} %` }),
  });

  prisam.view({
    id: "timeline",
    title: "Who did what, when",
    short: "Timeline",
    order: 2,
    tables: ["peers", "spans", "sat_out", "pulls", "arrivals", "faults", "notes", "links"],
    how:
      "Each row is a peer, and rows are sorted by data group (g0, g1, ..). A bar is what the " +
      "peer did: work is a high bar, waiting is a thin grey one. Phases that belong together " +
      "have one hue: masks yellow to brown, weights on their way red, averages purple, files " +
      "turquoise, the process itself violet. Below the bars, each lane holds " +
      "pulls of weights; a frame without filling is a pull that failed or was rejected. A pause " +
      "(two upright bars on a line) is a round that the peer sat out, because it was not drawn " +
      "to take part; it was up all the while. Hatched: " +
      "no record, because the process was down, or was killed before it wrote what it did. " +
      "Shaded bands are faults, darker at the peers that they hit, and each is labelled with " +
      "its verdict. Diamonds are notes: lost peers, " +
      "restarts, stalls. Look for long thin bars: hover over one to see whom the peer waited " +
      "for. Click on a bar to select its peer and round: arrows show which masks (dashed) and " +
      "weights (full) the peer got, and when; upright lines show the round at all peers. Drag to " +
      "move, Ctrl and wheel to zoom, or use the fields above the chart.",
    figures: [
      {
        id: "spans",
        follows: ["peer", "round", "fault"],
        title: "Phases of each peer over the run's clock",
        anywhere: true,
        controls: [
          {
            id: "window",
            label: "Show",
            options: [
              ["run", "the run"],
              ["round", "the selected round"],
              ["fault", "the selected fault"],
            ],
          },
          percent("from", "from", 0),
          percent("to", "to", 100),
          prisam.charts.orderControl,
        ],
        build,
        hover: (place, { store }) => find(place, store)?.tip ?? null,
        click: (place, { store }) => find(place, store)?.select ?? null,
      },
    ],
  });

  prisam.testing = prisam.testing || {};
  /** What is drawn, for tests in a browser. */
  prisam.testing.timeline = () => ({
    bands: seen.bands,
    from_s: seen.scale.from_s,
    to_s: seen.scale.to_s,
    area: seen.scale.area,
    pixelOf: [0, 1].map((t_s) => seen.scale.x(t_s)),
    spans: seen.figure.model.nSpans,
    pauses: [...seen.figure.pauses.values()].flat(),
  });
})();
