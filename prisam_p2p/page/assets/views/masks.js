/* View 5: how alike the announced masks are, who chose whom, and whether the groups found are
   the data's. */
"use strict";

(function () {
  const { charts, matrix, text, maskBits } = prisam;
  const { mean } = prisam.series;
  const LABELS = 96; // pixels
  const ROOMY = 60; // up to so many peers, cells are large
  const seen = { cells: null, figure: null }; // what is drawn, for the mouse
  let decoded = { table: null, bytes: new Map() };

  /** The bytes of the mask with this number; decoded once. */
  function bytesOf(store, mask) {
    const table = store.table("mask_bits");
    if (decoded.table !== table.order()) {
      const { mask: numbers, bits } = table.columns;
      decoded = {
        table: table.order(),
        packed: new Map((numbers || []).map((number, i) => [number, bits[i]])),
        bytes: new Map(),
      };
    }
    if (!decoded.bytes.has(mask)) {
      const packed = decoded.packed.get(mask);
      decoded.bytes.set(mask, packed === undefined ? null : maskBits.bytesOf(packed));
    }
    return decoded.bytes.get(mask);
  }

  /** Rounds of which masks are in the page, ascending. */
  const roundsOf = (store) =>
    [...new Set(store.table("masks").columns.round || [])].sort((a, b) => a - b);

  /**
   * The round that is shown: the last one of those in the page that is not after the selected one.
   */
  function placeOf({ store, selection }) {
    const rounds = roundsOf(store);
    if (selection.round === null) return rounds.length - 1;
    return Math.max(0, rounds.filter((round) => round <= selection.round).length - 1);
  }

  const layersOf = (store) => maskBits.layers(store.facts.mask_bits || 0, store.facts.mask_layers);

  /**
   * Distances of the masks of a round: {peers, round, layer, bits, distance}, row by row by data
   * group.
   */
  function modelOf(c) {
    const { store } = c;
    const round = roundsOf(store)[placeOf(c)];
    const [layer, first, bits] = layersOf(store)[Number(c.controls.layer)] || layersOf(store)[0];
    const { peer, round: rounds, mask } = store.table("masks").columns;
    const maskOf = new Map();
    for (let i = 0; i < peer.length; i += 1) if (rounds[i] === round) maskOf.set(peer[i], mask[i]);
    const peers = store.peersByGroup(round);
    const masks = peers.map((each) => {
      const bytes = maskOf.has(each) ? bytesOf(store, maskOf.get(each)) : null;
      return bytes && maskBits.part(bytes, first, bits);
    });
    return {
      peers,
      round,
      layer,
      bits,
      masks: masks.filter(Boolean).length,
      distance: maskBits.distances(masks),
    };
  }

  function build(c) {
    const { store, selection, palette, width, controls } = c;
    if (!roundsOf(store).length) return { option: null, empty: nothing(store) };
    const model = modelOf(c);
    const { peers, round, bits, distance } = model;
    const n = peers.length;
    const alike = Array.from(distance, (each) => (each < 0 || !bits ? null : 1 - each / bits));
    const others = alike.filter((value, i) => value !== null && i % (n + 1) !== 0);
    const scale = matrix.scaleOf(
      palette.scale("sequential"),
      others.length ? Math.min(...others) : 0,
      1,
    );
    const links = linksOf(store, model);
    seen.figure = { model, links };
    const side = Math.max(160, Math.min(width - LABELS - 20, 820, Math.max(n * 34, 220)));
    const names = peers.map((peer) => charts.peerName(store, peer, 9, round));
    const axis = {
      type: "category",
      data: names,
      axisTick: { show: false },
      axisLabel: { interval: n <= 40 ? 0 : "auto" },
    };
    return {
      option: {
        tooltip: null,
        grid: { left: LABELS, top: 40, width: side, height: side },
        xAxis: { ...axis, axisLabel: { ...axis.axisLabel, rotate: 90 } },
        yAxis: { ...axis, inverse: true },
        visualMap: matrix.legend(scale, (value) => text.share(value), { left: LABELS }),
        series: [
          matrix.cellSeries({
            columns: n,
            rows: n,
            values: alike,
            scale,
            palette,
            seen,
            words: (value) => (value === 1 ? "1" : value.toFixed(2).slice(1)),
          }),
          matrix.frameSeries(n, n, [
            ...linkFrames(cellsOf(peers, links[controls.frame]), n, palette),
            ...charts.groupFrames(store, peers, palette.muted, "group", round),
            {
              cells: peers.includes(selection.peer) ? [[0, peers.indexOf(selection.peer)]] : [],
              span: [n, 1],
              style: { fill: null, stroke: palette.selected, lineWidth: 2 },
            },
          ]),
        ],
      },
      height: side + 40 + LABELS,
      notes: remarks(c, model),
      table: () => tableOf(store, model, links),
      summary: summaryOf(store, model, alike),
    };
  }

  const nothing = (store) =>
    store.facts.status === "running"
      ? "No mask is announced yet."
      : "This run announced no masks, or none is recorded.";

  /**
   * Whom each peer chose in the round, and whom it counts to its group: {chosen, group}, peer ->
   * set of peers.
   */
  function linksOf(store, { round }) {
    const links = { chosen: new Map(), group: new Map() };
    for (const row of store.table("groups").rows()) {
      if (row.round !== round) continue;
      links.chosen.set(row.peer, new Set(row.chosen || []));
      links.group.set(row.peer, new Set((row.members || []).filter((each) => each !== row.peer)));
    }
    return links;
  }

  const cellsOf = (peers, links) =>
    peers.flatMap((peer, row) => {
      const others = links.get(peer);
      return others
        ? peers.flatMap((other, column) => (others.has(other) ? [[column, row]] : []))
        : [];
    });

  /** Frames that stand out on dark cells and on pale ones. */
  function linkFrames(cells, n, palette) {
    if (n > ROOMY) return [{ cells, style: { fill: null, stroke: palette.text, lineWidth: 1 } }];
    return [
      { cells, inset: 2, style: { fill: null, stroke: palette.surface, lineWidth: 4 } },
      { cells, inset: 1.5, style: { fill: null, stroke: palette.text, lineWidth: 2 } },
    ];
  }

  function remarks(c, { peers, round, masks }) {
    const rounds = roundsOf(c.store);
    return [
      c.selection.round !== null && c.selection.round !== round
        ? `The page has no masks of round ${c.selection.round}: this is round ${round}, of ` +
          `${rounds.length} rounds in it.`
        : "",
      masks < peers.length
        ? `${peers.length - masks} of ${peers.length} peers announced no mask in round ` +
          `${round}: their cells are empty.`
        : "",
    ].filter(Boolean);
  }

  function summaryOf(store, { peers, round, layer }, alike) {
    const pairs = alike
      .map((value, i) => [value, peers[Math.floor(i / peers.length)], peers[i % peers.length]])
      .filter(([value, a, b]) => value !== null && a !== b);
    const groupOf = (peer) => store.groupOf(peer, round);
    const same = ([, a, b]) => groupOf(a) >= 0 && groupOf(a) === groupOf(b);
    return (
      `Similarity of the masks of ${peers.length} peers in round ${round}, ${layer}. Mean within ` +
      `a data group: ${text.share(mean(pairs.filter(same).map(([value]) => value)))}; between: ` +
      `${text.share(mean(pairs.filter((pair) => !same(pair)).map(([value]) => value)))}.`
    );
  }

  function tableOf(store, { peers, round, layer, bits, distance }, links) {
    const rows = [];
    peers.forEach((peer, row) =>
      peers.forEach((other, column) => {
        const differ = distance[row * peers.length + column];
        if (peer === other || differ < 0) return;
        rows.push([
          store.peerId(peer),
          store.peerId(other),
          round,
          layer,
          differ,
          bits,
          1 - differ / bits,
          yes(links.chosen, peer, other),
          yes(links.group, peer, other),
        ]);
      }),
    );
    return {
      columns: [
        "peer",
        "other",
        "round",
        "layer",
        "bits_that_differ",
        "bits",
        "similarity",
        "peer_pulls_from_other",
        "other_in_its_group",
      ],
      rows,
    };
  }

  const yes = (links, peer, other) =>
    links.has(peer) ? (links.get(peer).has(other) ? "yes" : "no") : "not recorded";

  function pairAt({ x, y }) {
    const cell = seen.cells && seen.cells.at(x, y);
    return (
      cell && {
        ...cell,
        peer: seen.figure.model.peers[cell.row],
        other: seen.figure.model.peers[cell.column],
      }
    );
  }

  function hover(place, { store }) {
    const pair = pairAt(place);
    if (!pair) return null;
    const { model, links } = seen.figure;
    const differ = model.distance[pair.row * model.peers.length + pair.column];
    const { peer, other } = pair;
    const rows = [
      ["alike", differ < 0 ? "not known" : text.share(1 - differ / model.bits, 2)],
      [
        "bits that differ",
        differ < 0 ? "not known" : `${differ} of ${model.bits} (${model.layer})`,
      ],
      [`${store.peerId(peer)} pulls from ${store.peerId(other)}`, yes(links.chosen, peer, other)],
      ["in its group", yes(links.group, peer, other)],
      [
        "data groups",
        [peer, other]
          .map((each) => store.groupOf(each, model.round))
          .map((group) => (group < 0 ? "none" : `g${group}`))
          .join(" and "),
      ],
    ];
    return text.tooltip(
      `${store.peerId(peer)} and ${store.peerId(other)}, round ${model.round}`,
      rows,
    );
  }

  /** The adjusted Rand index of the groups against the data groups, by round. */
  function ari(c) {
    const { store, selection, palette } = c;
    const rows = store
      .table("ari")
      .rows()
      .filter((row) => row.ari !== null);
    if (!rows.length)
      return { option: null, empty: "No index: the data have no groups, or no peer clusters." };
    const least = Math.min(0, ...rows.map((row) => row.ari));
    return {
      option: {
        tooltip: {
          trigger: "axis",
          formatter: ([point]) =>
            text.tooltip(`round ${point.value[0]}`, [["ARI", text.number(point.value[1], 4)]]),
        },
        grid: { top: 16, bottom: 40, left: 8, right: 16, containLabel: true },
        xAxis: {
          type: "value",
          min: 0,
          max: Math.max(1, ...rows.map((row) => row.round)),
          minInterval: 1,
          ...charts.axisName("round", 24),
        },
        yAxis: { type: "value", min: Math.floor(least * 10) / 10, max: 1 },
        series: [
          {
            type: "line",
            name: "ARI",
            symbol: "circle",
            symbolSize: 7,
            data: rows.map((row) => [row.round, row.ari]),
            lineStyle: { color: palette.mark(0).color },
            itemStyle: { color: palette.mark(0).color },
            markLine:
              selection.round === null
                ? undefined
                : {
                    symbol: "none",
                    silent: true,
                    label: {
                      formatter: `round ${selection.round}`,
                      color: palette.text,
                      textBorderWidth: 0,
                    },
                    lineStyle: { color: palette.selected },
                    data: [{ xAxis: selection.round }],
                  },
          },
        ],
      },
      height: 200,
      table: { columns: ["round", "ari"], rows: rows.map((row) => [row.round, row.ari]) },
      summary:
        `Adjusted Rand index over ${rows.length} rounds; the last is ` +
        `${text.number(rows[rows.length - 1].ari, 3)}.`,
    };
  }

  prisam.view({
    id: "masks",
    title: "Mask similarity and groups",
    short: "Masks",
    order: 5,
    tables: ["peers", "data_groups", "masks", "mask_bits", "groups", "ari"],
    how:
      "Rows and columns are peers, by data group in this round; thin lines part the groups. The " +
      "stronger the colour of a cell, the more bits of the two announced masks are the same " +
      "(Hamming). A frame means that the peer of the row pulls from the peer of the column in " +
      "this round, or has it in its group. Look for strong blocks along the diagonal with frames " +
      "inside them: peers find those with similar data. Frames outside of a block are peers that " +
      "chose strangers. Move the round to see the blocks appear. Below, the adjusted Rand index " +
      "(ARI) says how well the groups match the data's: 1 is a perfect match, 0 is chance.",
    figures: [
      {
        id: "matrix",
        title: "How alike the masks of two peers are",
        anywhere: true,
        follows: ["peer", "round"],
        build,
        hover,
        click: (place) => {
          const pair = pairAt(place);
          return pair && { peer: pair.peer, round: seen.figure.model.round };
        },
        controls: [
          {
            id: "round",
            label: "Round",
            range: (c) => ({
              min: 0,
              max: Math.max(0, roundsOf(c.store).length - 1),
              step: 1,
              value: placeOf(c),
              text: (place) => `round ${roundsOf(c.store)[place] ?? "none"}`,
            }),
            changed: (place, { store, selection }) =>
              selection.set({ round: roundsOf(store)[place] }),
          },
          {
            id: "layer",
            label: "Bits of",
            options: (store) => layersOf(store).map(([name], i) => [String(i), name]),
          },
          {
            id: "frame",
            label: "Frame",
            options: [
              ["chosen", "chosen to pull from"],
              ["group", "in its group"],
            ],
          },
        ],
      },
      {
        id: "ari",
        title: "Agreement of the groups with the data groups (ARI)",
        build: ari,
        follows: ["round"],
        click: (event) => (event.value ? { round: event.value[0] } : null),
      },
    ],
  });

  prisam.testing = prisam.testing || {};
  /** Where the cell of two peers is drawn, for tests in a browser. */
  prisam.testing.masks = () => ({
    peers: seen.figure.model.peers,
    round: seen.figure.model.round,
    centre: (row, column) => [seen.cells.x(column + 0.5), seen.cells.y(row + 0.5)],
  });
})();
