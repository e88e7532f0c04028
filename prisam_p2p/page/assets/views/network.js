/* View 6, network: who is linked to whom, what each link carried, and which links a fault cut. *
   * Up to 40 peers stand on a circle, ordered by data group: the same run gives the same
   picture. * More peers are a matrix, because the lines of a larger graph hide each other. */
"use strict";

(function () {
  const MOST_ON_CIRCLE = 40;
  const THINNEST = 0.6;
  const WIDEST = 8; // pixels
  const LABEL = 15; // pixels that a label of the matrix takes
  const LIT = 0.95;
  const NORMAL = 0.45;
  const FADED = 0.07; // opacity of links
  const CROSS = "path://M0,0L10,10M10,0L0,10";
  const MEASURES = { wire_bytes: "on the wire", n_bytes: "payload" };

  function build(c) {
    const peers = peersOf(c.store, c.controls.order);
    const links = c.store.table("links").rows();
    if (!links.length)
      return { option: null, empty: "No links: this run's peers do not communicate." };
    const known = links.filter((link) => link[c.controls.bytes] != null);
    const picture = peers.length <= MOST_ON_CIRCLE ? circle : matrix;
    const most = Math.max(...known.map((link) => link[c.controls.bytes]));
    const notes = known.length
      ? [
          `The ${peers.length <= MOST_ON_CIRCLE ? "widest line" : "strongest colour"} is ` +
            `${prisam.text.bytes(most)}.`,
        ]
      : ["The bytes of links are known when the run has ended."];
    const drawn = picture(c, peers, links);
    return {
      ...drawn,
      notes: [...notes, ...(drawn.notes || [])],
      table: () => tableOf(links, c.store),
      summary: summaryOf(links, peers, c),
    };
  }

  /**
   * Return number, id and data group of each peer; those of one part, which is a data group or a
   * host, side by side.
   */
  function peersOf(store, order) {
    const part = prisam.charts.partOf(store, order);
    return prisam.charts.ordered(store, order).map((peer) => ({
      peer,
      id: store.peerId(peer),
      group: store.groupOf(peer),
      part: part(peer),
    }));
  }

  /** Return what tells whether a link is to stand out: null if nothing is selected. */
  function chosen(c) {
    const { peer, fault } = c.selection;
    if (fault != null) {
      const hit = c.store
        .table("faults")
        .rows()
        .find((each) => each.occurrence === fault);
      if (!hit) return null;
      const pairs = new Set(hit.links.map(([a, b]) => `${a} ${b}`));
      return (link) =>
        pairs.has(`${link.sender} ${link.receiver}`) ||
        hit.peers.includes(link.sender) ||
        hit.peers.includes(link.receiver);
    }
    return peer == null ? null : (link) => link.sender === peer || link.receiver === peer;
  }

  // The circle ------------------------------------------------------------------------------

  /** Return [x, y] for each peer, on a circle of radius 1, with a gap between parts. */
  function places(peers) {
    const slots = [];
    let slot = 0;
    peers.forEach((peer, i) => {
      if (i && peers[i - 1].part !== peer.part) slot += 1;
      slots.push(slot);
      slot += 1;
    });
    const whole = slot + (peers.length && peers[0].part !== peers[peers.length - 1].part ? 1 : 0);
    return slots.map((each) => {
      const angle = (2 * Math.PI * each) / Math.max(1, whole) - Math.PI / 2;
      return [Math.cos(angle), Math.sin(angle)];
    });
  }

  function labelSide([x, y]) {
    if (Math.abs(x) > 0.35) return x > 0 ? "right" : "left";
    return y > 0 ? "bottom" : "top";
  }

  function circle(c, peers, links) {
    seen.cells = null;
    const size = Math.max(240, Math.min(560, c.width - 160));
    const at = places(peers);
    const index = new Map(peers.map((peer, i) => [peer.peer, i]));
    const groups = [...new Set(peers.map((peer) => peer.group))];
    const nodes = peers.map((peer, i) => ({
      name: peer.id,
      peer: peer.peer,
      x: 100 * at[i][0],
      y: 100 * at[i][1],
      category: groups.indexOf(peer.group),
      symbolSize: peer.peer === c.selection.peer ? 26 : 17,
      itemStyle: {
        borderColor: c.palette.text,
        borderWidth: peer.peer === c.selection.peer ? 3 : 0.5,
      },
      label: { show: true, position: labelSide(at[i]), color: c.palette.text },
    }));
    return {
      height: size + 120,
      option: {
        legend:
          groups.length > 1
            ? {
                bottom: 0,
                itemWidth: 14,
                data: groups.map((group) => ({
                  name: prisam.charts.groupName(group),
                  icon: c.palette.group(group).symbol,
                })),
              }
            : undefined,
        tooltip: { formatter: (item) => tip(item.data, c) },
        series: [
          {
            type: "graph",
            layout: "none",
            left: (c.width - size) / 2,
            top: 40,
            width: size,
            height: size,
            data: nodes,
            links: edges(c, links, index),
            categories: groups.map((group) => ({
              name: prisam.charts.groupName(group),
              symbol: c.palette.group(group).symbol,
              itemStyle: { color: c.palette.group(group).color },
            })),
            edgeSymbol: ["none", "arrow"],
            edgeSymbolSize: 5,
            emphasis: { focus: "adjacency" },
          },
        ],
      },
    };
  }

  function edges(c, links, index) {
    const stands = chosen(c);
    const most = Math.max(1, ...links.map((link) => link[c.controls.bytes] || 0));
    return links.map((link) => ({
      source: index.get(link.sender),
      target: index.get(link.receiver),
      link,
      lineStyle: {
        width: THINNEST + ((WIDEST - THINNEST) * (link[c.controls.bytes] || 0)) / most,
        type: link.cut ? "dashed" : "solid",
        color: c.palette.group(c.store.groupOf(link.sender)).color,
        opacity: stands ? (stands(link) ? LIT : FADED) : NORMAL,
        curveness: 0.14,
      },
    }));
  }

  // The matrix ------------------------------------------------------------------------------

  /** What was drawn last: the cells by pixels, and the link of each; for the mouse. */
  const seen = { cells: null, linkAt: null };

  function matrix(c, peers, links) {
    const n = peers.length;
    const side = Math.max(280, Math.min(760, c.width - 150));
    const at = new Map(peers.map((peer, i) => [peer.peer, i]));
    const cellOf = (link) => [at.get(link.receiver), at.get(link.sender)];
    const values = new Array(n * n).fill(null);
    const linkAt = new Map();
    for (const link of links) {
      const [column, row] = cellOf(link);
      values[row * n + column] = link[c.controls.bytes] || 0;
      linkAt.set(row * n + column, link);
    }
    seen.linkAt = ({ column, row }) => linkAt.get(row * n + column);
    const colours = c.palette.scale("sequential").slice(1); // the palest would hide a link
    const scale = prisam.matrix.scaleOf(
      colours,
      0,
      Math.max(1, ...links.map((link) => link[c.controls.bytes] || 0)),
    );
    const skipped = Math.ceil((LABEL * n) / side) - 1; // labels left out between two that are shown
    const axis = {
      type: "category",
      data: peers.map((peer) => prisam.text.short(peer.id, 10)),
      nameLocation: "middle",
      nameGap: 62,
    };
    return {
      height: side + 130,
      notes: [matrixNote(n, c.controls.order)],
      option: {
        tooltip: null,
        grid: { left: Math.max(100, (c.width - side) / 2), top: 40, width: side, height: side },
        xAxis: {
          ...axis,
          name: "receiver",
          axisLabel: { rotate: 90, interval: skipped, fontSize: 11 },
        },
        yAxis: {
          ...axis,
          name: "sender",
          inverse: true,
          axisLabel: { interval: skipped, fontSize: 11 },
        },
        visualMap: prisam.matrix.legend(scale, prisam.text.axisBytes),
        series: [
          prisam.matrix.cellSeries({
            columns: n,
            rows: n,
            values,
            scale,
            palette: c.palette,
            seen,
          }),
          prisam.matrix.frameSeries(n, n, [
            ...prisam.charts.groupFrames(
              c.store,
              peers.map(({ peer }) => peer),
              c.palette.text,
              c.controls.order,
            ),
            ...chosenFrames(c, links, cellOf),
          ]),
          {
            type: "scatter",
            name: "cut by a fault",
            symbol: CROSS,
            symbolSize: Math.max(4, (0.6 * side) / n),
            silent: true,
            z: 5,
            itemStyle: {
              color: "none",
              borderColor: c.palette.verdict("false").color,
              borderWidth: 1.5,
              shadowBlur: 3,
              shadowColor: c.palette.surface,
            },
            data: links.filter((link) => link.cut).map(cellOf),
          },
        ],
      },
    };
  }

  const matrixNote = (n, order) =>
    order === "host"
      ? `${n} peers: drawn as a matrix, ordered by host; lines stand between hosts.`
      : `${n} peers: drawn as a matrix, ordered by data group; lines stand between groups.`;

  function chosenFrames(c, links, cellOf) {
    const stands = chosen(c);
    if (!stands) return [];
    return [
      {
        cells: links.filter(stands).map(cellOf),
        inset: 0,
        style: { fill: null, stroke: c.palette.selected, lineWidth: 1 },
      },
    ];
  }

  /** Return the link whose cell lies at a place of the canvas; none where the circle is drawn. */
  function linkAt(place) {
    const cell = seen.cells && seen.cells.at(place.x, place.y);
    return cell ? seen.linkAt(cell) : undefined;
  }

  function hover(place, c) {
    const link = linkAt(place);
    return link ? linkTip(link, c) : null;
  }

  // In words --------------------------------------------------------------------------------

  function tip(data, c) {
    if (!data.link)
      return prisam.text.tooltip(data.name, [
        ["", prisam.charts.groupName(c.store.groupOf(data.peer))],
        ...(c.store.hasHosts ? [["host", c.store.hostOf(data.peer)]] : []),
      ]);
    return linkTip(data.link, c);
  }

  function linkTip(link, c) {
    const id = (peer) => c.store.peerId(peer);
    return prisam.text.tooltip(`${id(link.sender)} → ${id(link.receiver)}`, [
      ["payload", prisam.text.wholeBytes(link.n_bytes)],
      ["on the wire", prisam.text.wholeBytes(link.wire_bytes)],
      ["rate", link.rate_mbit_s == null ? "not limited" : `${link.rate_mbit_s} Mbit/s`],
      ["delay", link.delay_ms == null ? "none asked" : `${link.delay_ms} ms`],
      ["faults that cut it", link.cut],
      ...(c.store.hasHosts ? [["hosts", hostsOf(link, c.store).join(" → ")]] : []),
    ]);
  }

  const hostsOf = (link, store) => [store.hostOf(link.sender), store.hostOf(link.receiver)];

  function tableOf(links, store) {
    const sorted = [...links].sort((a, b) => (b.wire_bytes || 0) - (a.wire_bytes || 0));
    return {
      columns: [
        "sender",
        "receiver",
        "payload, B",
        "on the wire, B",
        "rate, Mbit/s",
        "delay, ms",
        "faults that cut it",
        ...(store.hasHosts ? ["host of sender", "host of receiver"] : []),
      ],
      rows: sorted.map((link) => [
        store.peerId(link.sender),
        store.peerId(link.receiver),
        link.n_bytes,
        link.wire_bytes,
        link.rate_mbit_s,
        link.delay_ms,
        link.cut,
        ...(store.hasHosts ? hostsOf(link, store) : []),
      ]),
    };
  }

  function summaryOf(links, peers, c) {
    const cut = links.filter((link) => link.cut).length;
    const bytes = links.reduce((sum, link) => sum + (link[c.controls.bytes] || 0), 0);
    return (
      `${peers.length} peers and ${links.length} directed links, which carried ` +
      `${prisam.text.bytes(bytes)} (${MEASURES[c.controls.bytes]}); faults cut ${cut} of them.`
    );
  }

  function click(event) {
    const link = event.data ? null : linkAt(event);
    if (link) return { peer: link.sender };
    const data = event.data || {};
    if (data.link) return { peer: data.link.sender };
    return data.peer === undefined ? null : { peer: data.peer };
  }

  prisam.view({
    id: "network",
    title: "Network",
    order: 6,
    tables: ["peers", "links", "faults"],
    how:
      "Each line is a directed link, in the colour of the peer that sends; the wider it is, the " +
      "more bytes it carried. A dashed line was cut by a fault at least once. Shape and colour " +
      "of a peer tell its data group. Choose a peer, or a fault, to make its links stand out. " +
      `More than ${MOST_ON_CIRCLE} peers are a matrix: a row sends, a column receives, a cross ` +
      "marks a cut link.",
    figures: [
      {
        id: "network",
        title: "Links and what they carried",
        follows: ["peer", "fault"],
        anywhere: true,
        build,
        click,
        hover,
        controls: [
          { id: "bytes", label: "Bytes", options: Object.entries(MEASURES) },
          prisam.charts.orderControl,
        ],
      },
    ],
  });
})();
