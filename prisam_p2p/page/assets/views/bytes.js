/* View 7, bytes: by round and kind, by kind and layer, from whom to whom. */
"use strict";

(function () {
  const { LAYERS, SUMS, COLUMNS, bytesOf, added, total, upTo, columnsOf, nothing } =
    prisam.bytesModel;
  /** Of the scale from nothing to much, so that no layer looks like a kind. */
  const SHADES = [5, 3, 2, 1];
  const LAYER_WORDS = ["payload", "header", "framing", "beyond the stream"];
  /** Round -1: handshakes, heartbeats, and what was sent before the first round. */
  const NO_ROUND = "none";
  const PUSH = "push everything, on the wire";
  const roundName = (round) => (round < 0 ? NO_ROUND : String(round));

  // By round --------------------------------------------------------------------------------

  function rounds(c) {
    const bytes = bytesOf(c.store);
    const { layer, scale } = c.controls;
    if (bytes.empty) return { option: null, empty: nothing(c.store) };
    const pushed = new Map(
      c.store
        .table("push_everything")
        .rows()
        .map((row) => [row.round, row.n_bytes]),
    );
    const whole = total(bytes.kinds.map((kind) => upTo(layer, bytes.all(kind))));
    return {
      height: 400,
      decal: true,
      table: () => roundTable(bytes, pushed),
      notes:
        scale === "log"
          ? ["A logarithmic axis has no stacks: each kind is a line of its own."]
          : [],
      summary:
        `Bytes (${SUMS[layer]}) of ${bytes.rounds.length} rounds by kind of message: ` +
        `${prisam.text.bytes(whole)} in all.`,
      option: roundsOption(c, bytes, pushed),
    };
  }

  function roundsOption(c, bytes, pushed) {
    const { layer } = c.controls;
    const sum = (round, kind) => upTo(layer, bytes.of(round, kind));
    const highest = Math.max(
      ...bytes.rounds.map((round) =>
        Math.max(pushed.get(round) || 0, total(bytes.kinds.map((kind) => sum(round, kind)))),
      ),
    );
    const valuesOf = (kind) => bytes.rounds.map((round) => sum(round, kind));
    const pushes = bytes.rounds.map((round) => pushed.get(round) ?? null);
    return {
      legend: { top: 0, type: "scroll" },
      grid: { left: 80, right: 20, top: 50, bottom: 44 },
      tooltip: { trigger: "axis", formatter: roundTip },
      xAxis: {
        type: "category",
        data: bytes.rounds.map(roundName),
        ...prisam.charts.axisName("round", 28),
      },
      yAxis: {
        ...extent(c.controls.scale, highest),
        ...prisam.charts.topName(SUMS[layer]),
        axisLabel: { formatter: (n) => prisam.text.axisBytes(n) },
      },
      series: [
        ...bytes.kinds.map((kind) => kindSeries(c, kind, valuesOf(kind))),
        pushSeries(c, pushes),
      ],
    };
  }

  /** From where to where an axis of bytes reaches, with labels at whole numbers. */
  function extent(scale, highest) {
    if (scale === "log") return { type: "log", min: 1 };
    const step = prisam.text.byteStep(highest);
    return { type: "value", min: 0, max: Math.ceil(highest / step) * step, interval: step };
  }

  function kindSeries(c, kind, values) {
    const { color, decal, symbol } = c.palette.kind(kind);
    const common = { name: kind, itemStyle: { color, decal } };
    if (c.controls.scale === "log") {
      const shown = values.map((n) => n || null); // a logarithm has no zero
      return { ...common, type: "line", data: shown, symbol, symbolSize: 7, lineStyle: { color } };
    }
    return { ...common, type: "bar", stack: "kinds", data: values, barCategoryGap: "20%" };
  }

  function pushSeries(c, values) {
    return {
      name: PUSH,
      type: "line",
      data: values,
      symbol: "emptyCircle",
      symbolSize: 6,
      showSymbol: values.length <= 40,
      z: 4,
      lineStyle: { color: c.palette.text, type: "dashed", width: 1.5 },
      itemStyle: { color: c.palette.text },
    };
  }

  function roundTip(items) {
    const rows = items
      .filter((item) => item.value != null)
      .map((item) => [item.seriesName, prisam.text.wholeBytes(item.value)]);
    return prisam.text.tooltip(
      items[0].name === NO_ROUND ? "of no round" : `round ${items[0].name}`,
      rows,
    );
  }

  function roundTable(bytes, pushed) {
    const rows = bytes.rounds.flatMap((round) =>
      bytes.kinds.map((kind) => [roundName(round), kind, ...columnsOf(bytes.of(round, kind))]),
    );
    const pushes = [...pushed].map(([round, n]) => [
      roundName(round),
      PUSH,
      null,
      null,
      null,
      null,
      n,
    ]);
    return { columns: ["round", "kind", ...COLUMNS], rows: [...rows, ...pushes] };
  }

  // By kind ---------------------------------------------------------------------------------

  function kinds(c) {
    const bytes = bytesOf(c.store);
    if (bytes.empty) return { option: null, empty: nothing(c.store) };
    const sums = bytes.kinds.map((kind) => bytes.all(kind));
    const whole = total(sums.map(total));
    const words = sums.map(total).map((n) => {
      const share = prisam.text.share(n / (whole || 1));
      return `${prisam.text.bytes(n)}, ${share}`;
    });
    return {
      height: 90 + 44 * sums.length,
      decal: true,
      table: kindTable(bytes, sums, whole),
      summary:
        `Of ${prisam.text.bytes(whole)} on the wire: ` +
        `${bytes.kinds.map((kind, i) => `${kind} ${words[i]}`).join("; ")}.`,
      option: kindsOption(
        c,
        bytes.kinds.map((kind, i) => `${kind}: ${words[i]}`),
        sums,
      ),
    };
  }

  const kindTable = (bytes, sums, whole) => ({
    columns: ["kind", ...COLUMNS, "share of the wire"],
    rows: [
      ...bytes.kinds.map((kind, i) => [
        kind,
        ...columnsOf(sums[i]),
        whole ? total(sums[i]) / whole : null,
      ]),
      ["all kinds", ...columnsOf(sums.reduce(added)), whole ? 1 : null],
    ],
  });

  const kindsOption = (c, names, sums) => ({
    legend: { top: 0 },
    grid: { left: 180, right: 24, top: 36, bottom: 30 },
    tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, formatter: kindTip },
    xAxis: { type: "value", max: 1, axisLabel: { formatter: prisam.charts.percent } },
    yAxis: { type: "category", inverse: true, data: names },
    series: LAYERS.map((_, n) => ({
      name: LAYER_WORDS[n],
      type: "bar",
      stack: "layers",
      itemStyle: {
        color: c.palette.scale("sequential")[SHADES[n]],
        decal: c.palette.mark(n).decal,
        borderColor: c.palette.muted,
      },
      data: sums.map((parts) => ({ value: parts[n] / (total(parts) || 1), n_bytes: parts[n] })),
    })),
  });

  function kindTip(items) {
    const rows = items.map((item) => [item.seriesName, prisam.text.wholeBytes(item.data.n_bytes)]);
    return prisam.text.tooltip(items[0].name, rows);
  }

  prisam.view({
    id: "bytes",
    title: "Bytes",
    order: 7,
    tables: ["bytes", "push_everything", "links", "peers"],
    how:
      "Every byte on the wire belongs to a kind of message (weights, masks, ..) and to a layer " +
      "(the payload, our headers, ZeroMQ's framing, TCP and Ethernet around it); the layers are " +
      "chosen below. Round “none” holds what belongs to no round: connecting, also after a " +
      "restart, handshakes, heartbeats. The dashed line is what it would cost if each peer " +
      "pushed its model to each neighbor. The tables have the bytes that “prisam bytes” prints.",
    figures: [
      {
        id: "rounds",
        title: "By round and kind",
        follows: [],
        build: rounds,
        click: (event) =>
          event.name === undefined || event.name === NO_ROUND
            ? null
            : { round: Number(event.name) },
        controls: [
          { id: "layer", label: "Count", options: Object.entries(SUMS) },
          {
            id: "scale",
            label: "Axis",
            options: [
              ["linear", "linear"],
              ["log", "logarithmic"],
            ],
          },
        ],
      },
      { id: "kinds", title: "Each kind by layer", follows: [], build: kinds },
      prisam.bytesLinks,
    ],
  });
})();
