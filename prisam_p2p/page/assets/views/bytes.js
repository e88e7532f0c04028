/* View 7, bytes: by round and kind, by kind and layer, from whom to whom. */
"use strict";

(function () {
  /**
   * Kinds of messages, in the order of docs/ledger.md; a kind of a later version comes after them.
   */
  const KINDS = ["mask", "request", "weights", "hello", "control"];
  /** Layers that add up, innermost first: up to and including a layer, its sum has a name. */
  const LAYERS = ["payload", "header", "framing", "beyond"];
  const SUMS = {
    beyond: "on the wire",
    framing: "TCP stream",
    header: "payload and headers",
    payload: "payload",
  };
  /** Of the scale from nothing to much, so that no layer looks like a kind. */
  const SHADES = [5, 3, 2, 1];
  /** Round -1: handshakes, heartbeats, and what was sent before the first round. */
  const NO_ROUND = "none";
  const PUSH = "push everything, on the wire";
  const MOST_HEADS = 60; // rows of the matrix; more peers are rolled up
  const TOP = 200; // links in the matrix's table

  /**
   * Return {kinds, rounds, of(round, kind) -> bytes of each layer}; `all(kind)` sums up the rounds.
   */
  function bytesOf(store) {
    const rows = store.table("bytes").rows();
    const cells = new Map();
    for (const row of rows) {
      const key = `${row.round} ${row.kind}`;
      if (!cells.has(key)) cells.set(key, {});
      cells.get(key)[row.layer] = row.n_bytes;
    }
    const rounds = [...new Set(rows.map((row) => row.round))].sort((a, b) => a - b);
    const found = [...new Set(rows.map((row) => row.kind))];
    const kinds = [...KINDS, ...found.filter((kind) => !KINDS.includes(kind))];
    const of = (round, kind) =>
      LAYERS.map((layer) => (cells.get(`${round} ${kind}`) || {})[layer] || 0);
    const all = (kind) => rounds.map((round) => of(round, kind)).reduce(added, [0, 0, 0, 0]);
    return { kinds, rounds, of, all, empty: !rows.length };
  }

  const added = (a, b) => a.map((each, i) => each + b[i]);
  const total = (parts) => parts.reduce((sum, each) => sum + each, 0);
  /** Return the bytes up to and including a layer. */
  const upTo = (layer, parts) => total(parts.slice(0, LAYERS.indexOf(layer) + 1));
  /** Return payload, header, framing, stream, wire: the columns of `prisam bytes`. */
  const columnsOf = (parts) => [...parts.slice(0, 3), upTo("framing", parts), total(parts)];
  const COLUMNS = ["payload, B", "header, B", "framing, B", "stream, B", "wire, B"];
  const roundName = (round) => (round < 0 ? NO_ROUND : String(round));

  function emptyWords(store) {
    return store.facts.status === "running"
      ? "Bytes are accounted for when the run has ended."
      : "This run sent no bytes.";
  }

  // By round --------------------------------------------------------------------------------

  function rounds(c) {
    const bytes = bytesOf(c.store);
    const { layer, scale } = c.controls;
    if (bytes.empty) return { option: null, empty: emptyWords(c.store) };
    const pushed = new Map(
      c.store
        .table("push_everything")
        .rows()
        .map((row) => [row.round, row.n_bytes]),
    );
    const sum = (round, kind) => upTo(layer, bytes.of(round, kind));
    const highest = Math.max(
      ...bytes.rounds.map((round) =>
        Math.max(pushed.get(round) || 0, total(bytes.kinds.map((kind) => sum(round, kind)))),
      ),
    );
    const step = prisam.text.byteStep(highest);
    const series = bytes.kinds.map((kind) =>
      kindSeries(
        c,
        kind,
        bytes.rounds.map((round) => sum(round, kind)),
      ),
    );
    series.push(
      pushSeries(
        c,
        bytes.rounds.map((round) => pushed.get(round) ?? null),
      ),
    );
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
        `${prisam.text.bytes(total(bytes.kinds.map((kind) => upTo(layer, bytes.all(kind)))))} in ` +
        "all.",
      option: {
        legend: { top: 0, type: "scroll" },
        grid: { left: 80, right: 20, top: 50, bottom: 44 },
        tooltip: { trigger: "axis", formatter: (items) => roundTip(items) },
        xAxis: {
          type: "category",
          data: bytes.rounds.map(roundName),
          ...prisam.charts.axisName("round", 28),
        },
        yAxis: {
          ...(scale === "log"
            ? { type: "log", min: 1 }
            : { type: "value", min: 0, max: Math.ceil(highest / step) * step, interval: step }),
          ...prisam.charts.topName(SUMS[layer]),
          axisLabel: { formatter: (n) => prisam.text.axisBytes(n) },
        },
        series,
      },
    };
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
    if (bytes.empty) return { option: null, empty: emptyWords(c.store) };
    const sums = bytes.kinds.map((kind) => bytes.all(kind));
    const whole = total(sums.map(total));
    const words = (i) =>
      `${prisam.text.bytes(total(sums[i]))}, ${prisam.text.share(total(sums[i]) / (whole || 1))}`;
    const layerWords = ["payload", "header", "framing", "beyond the stream"];
    return {
      height: 90 + 44 * sums.length,
      decal: true,
      table: {
        columns: ["kind", ...COLUMNS, "share of the wire"],
        rows: [
          ...bytes.kinds.map((kind, i) => [
            kind,
            ...columnsOf(sums[i]),
            whole ? total(sums[i]) / whole : null,
          ]),
          ["all kinds", ...columnsOf(sums.reduce(added)), whole ? 1 : null],
        ],
      },
      summary:
        `Of ${prisam.text.bytes(whole)} on the wire: ` +
        `${bytes.kinds.map((kind, i) => `${kind} ${words(i)}`).join("; ")}.`,
      option: {
        legend: { top: 0 },
        grid: { left: 180, right: 24, top: 36, bottom: 30 },
        tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, formatter: kindTip },
        xAxis: {
          type: "value",
          max: 1,
          axisLabel: { formatter: prisam.charts.percent },
        },
        yAxis: {
          type: "category",
          inverse: true,
          data: bytes.kinds.map((kind, i) => `${kind}: ${words(i)}`),
        },
        series: LAYERS.map((layer, n) => ({
          name: layerWords[n],
          type: "bar",
          stack: "layers",
          itemStyle: {
            color: c.palette.scale("sequential")[SHADES[n]],
            decal: c.palette.mark(n).decal,
            borderColor: c.palette.muted,
          },
          data: sums.map((parts) => ({ value: parts[n] / (total(parts) || 1), n_bytes: parts[n] })),
        })),
      },
    };
  }

  function kindTip(items) {
    const rows = items.map((item) => [item.seriesName, prisam.text.wholeBytes(item.data.n_bytes)]);
    return prisam.text.tooltip(items[0].name, rows);
  }

  // From whom to whom -----------------------------------------------------------------------

  /** Return the heads of the matrix, [name, peers]: each peer, or many peers by data group. */
  function headsOf(store) {
    const peers = store.peersByGroup();
    if (peers.length <= MOST_HEADS) return peers.map((peer) => [store.peerId(peer), [peer]]);
    const groups = new Map();
    for (const peer of peers)
      groups.set(store.groupOf(peer), [...(groups.get(store.groupOf(peer)) || []), peer]);
    if (groups.size > 1)
      return [...groups].map(([group, each]) => [prisam.charts.groupName(group), each]);
    const size = Math.ceil(peers.length / MOST_HEADS);
    const parts = [];
    for (let i = 0; i < peers.length; i += size) parts.push(peers.slice(i, i + size));
    return parts.map((each) => [
      `${store.peerId(each[0])} .. ${store.peerId(each[each.length - 1])}`,
      each,
    ]);
  }

  function pairs(c) {
    const links = c.store
      .table("links")
      .rows()
      .filter((link) => link[c.controls.bytes] != null);
    if (!links.length) return { option: null, empty: emptyWords(c.store) };
    const heads = headsOf(c.store);
    const at = new Map(heads.flatMap(([, peers], i) => peers.map((peer) => [peer, i])));
    const sums = new Map();
    for (const link of links) {
      const key = at.get(link.receiver) + heads.length * at.get(link.sender);
      sums.set(key, (sums.get(key) || 0) + link[c.controls.bytes]);
    }
    const data = [...sums].map(([key, n]) => [
      key % heads.length,
      Math.floor(key / heads.length),
      n,
    ]);
    const size = Math.max(260, Math.min(640, c.width - 160));
    const peers = c.store.peersByGroup().length;
    const names = heads.map(([name]) => name);
    const top = [...links].sort((a, b) => b[c.controls.bytes] - a[c.controls.bytes]).slice(0, TOP);
    const notes =
      heads.length < peers
        ? [
            `Rolled up: ${peers} peers as ${heads.length} rows and columns; a cell is the sum of ` +
              "its links.",
          ]
        : [];
    if (top.length < links.length)
      notes.push(
        `The table has the ${TOP} links with most bytes, of ${prisam.text.number(links.length)}.`,
      );
    return {
      height: size + 110 + lengthOf(names),
      notes,
      option: pairsOption(c, names, data, size),
      table: {
        columns: ["sender", "receiver", "payload, B", "wire, B"],
        rows: top.map((link) => [
          c.store.peerId(link.sender),
          c.store.peerId(link.receiver),
          link.n_bytes,
          link.wire_bytes,
        ]),
      },
      summary:
        `${links.length} directed links; most went from ${c.store.peerId(top[0].sender)} to ` +
        `${c.store.peerId(top[0].receiver)}: ${prisam.text.bytes(top[0][c.controls.bytes])}.`,
    };
  }

  /** Return how long the longest name beside an axis is, in pixels. */
  const lengthOf = (names) => 7 * Math.max(...names.map((name) => prisam.text.short(name).length));

  function pairsOption(c, names, data, size) {
    const long = lengthOf(names);
    const axis = {
      type: "category",
      data: names.map((name) => prisam.text.short(name)),
      nameLocation: "middle",
      nameGap: long + 18,
      axisLine: { show: false },
    };
    return {
      grid: {
        left: Math.max(long + 40, (c.width - size) / 2),
        top: 10,
        width: size - 20,
        height: size - 20,
      },
      xAxis: { ...axis, name: "receiver", axisLabel: { rotate: 90 } },
      yAxis: { ...axis, name: "sender", inverse: true },
      visualMap: {
        type: "continuous",
        min: 0,
        max: Math.max(1, ...data.map((cell) => cell[2])),
        calculable: true,
        orient: "horizontal",
        left: "center",
        bottom: 0,
        formatter: (n) => prisam.text.axisBytes(n),
        inRange: { color: c.palette.scale("sequential") },
      },
      tooltip: {
        formatter: (item) =>
          prisam.text.tooltip(`${names[item.value[1]]} → ${names[item.value[0]]}`, [
            ["bytes", prisam.text.wholeBytes(item.value[2])],
          ]),
      },
      series: [
        {
          type: "heatmap",
          data,
          progressive: 0,
          itemStyle: { borderColor: c.palette.surface, borderWidth: 1 },
        },
      ],
    };
  }

  /** Return the sender of a cell, if the cell is that of one peer. */
  function pairsClick(event, c) {
    const head = event.value && headsOf(c.store)[event.value[1]];
    return head && head[1].length === 1 ? { peer: head[1][0] } : null;
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
      {
        id: "links",
        title: "From whom to whom",
        follows: [],
        build: pairs,
        click: pairsClick,
        controls: [
          {
            id: "bytes",
            label: "Count",
            options: [
              ["wire_bytes", "on the wire"],
              ["n_bytes", "payload"],
            ],
          },
        ],
      },
    ],
  });
})();
