/* The figure "From whom to whom" of view 7: bytes by sender and receiver, as a matrix. */
"use strict";

(function () {
  const MOST_HEADS = 60; // rows of the matrix; more peers are rolled up
  const TOP = 200; // links in the matrix's table

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

  function build(c) {
    const { store } = c;
    const { bytes } = c.controls;
    const links = store
      .table("links")
      .rows()
      .filter((link) => link[bytes] != null);
    if (!links.length) return { option: null, empty: prisam.bytesModel.nothing(store) };
    const heads = headsOf(store);
    const names = heads.map(([name]) => name);
    const size = Math.max(260, Math.min(640, c.width - 160));
    const top = [...links].sort((a, b) => b[bytes] - a[bytes]).slice(0, TOP);
    const id = (peer) => store.peerId(peer);
    return {
      height: size + 110 + lengthOf(names),
      notes: remarks(store, heads, links),
      option: optionOf(c, names, cellsOf(heads, links, bytes), size),
      table: {
        columns: ["sender", "receiver", "payload, B", "wire, B"],
        rows: top.map((link) => [
          id(link.sender),
          id(link.receiver),
          link.n_bytes,
          link.wire_bytes,
        ]),
      },
      summary:
        `${links.length} directed links; most went from ${id(top[0].sender)} to ` +
        `${id(top[0].receiver)}: ${prisam.text.bytes(top[0][bytes])}.`,
    };
  }

  /** The cells of the matrix, [column, row, bytes]: each is the sum of its links. */
  function cellsOf(heads, links, bytes) {
    const at = new Map(heads.flatMap(([, peers], i) => peers.map((peer) => [peer, i])));
    const sums = new Map();
    for (const link of links) {
      const key = at.get(link.receiver) + heads.length * at.get(link.sender);
      sums.set(key, (sums.get(key) || 0) + link[bytes]);
    }
    return [...sums].map(([key, n]) => [key % heads.length, Math.floor(key / heads.length), n]);
  }

  function remarks(store, heads, links) {
    const n = store.peersByGroup().length;
    const notes = [];
    if (heads.length < n)
      notes.push(
        `Rolled up: ${n} peers as ${heads.length} rows and columns; a cell is the sum of its ` +
          "links.",
      );
    if (links.length > TOP)
      notes.push(
        `The table has the ${TOP} links with most bytes, of ${prisam.text.number(links.length)}.`,
      );
    return notes;
  }

  /** Return how long the longest name beside an axis is, in pixels. */
  const lengthOf = (names) => 7 * Math.max(...names.map((name) => prisam.text.short(name).length));

  function optionOf(c, names, cells, size) {
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
        max: Math.max(1, ...cells.map((cell) => cell[2])),
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
          data: cells,
          progressive: 0,
          itemStyle: { borderColor: c.palette.surface, borderWidth: 1 },
        },
      ],
    };
  }

  /** Return the sender of a cell, if the cell is that of one peer. */
  function click(event, c) {
    const head = event.value && headsOf(c.store)[event.value[1]];
    return head && head[1].length === 1 ? { peer: head[1][0] } : null;
  }

  prisam.bytesLinks = {
    id: "links",
    title: "From whom to whom",
    follows: [],
    build,
    click,
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
  };
})();
