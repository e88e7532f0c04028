/* View 6, network: who is linked to whom, what each link carried, and which links a fault cut.
 *
 * Up to 40 peers stand on a circle, ordered by data group: the same run gives the same picture.
 * More peers are a matrix, because the lines of a larger graph hide each other.
 */
(function () {
  "use strict";

  const MOST_ON_CIRCLE = 40;
  const THINNEST = 0.6, WIDEST = 8;  // pixels
  const LABEL = 15; // pixels that a label of the matrix takes
  const LIT = 0.95, NORMAL = 0.45, FADED = 0.07;  // opacity of links
  const CROSS = "path://M0,0L10,10M10,0L0,10";
  const MEASURES = {wire_bytes: "on the wire", n_bytes: "payload"};

  function build(c) {
    const peers = peersOf(c.store), links = c.store.table("links").rows();
    if (!links.length) return {option: null, empty: "No links: this run's peers do not communicate."};
    const known = links.filter((link) => link[c.controls.bytes] != null);
    const picture = peers.length <= MOST_ON_CIRCLE ? circle : matrix;
    const notes = known.length ? [] : ["The bytes of links are known when the run has ended."];
    const drawn = picture(c, peers, links);
    return {...drawn, notes: [...notes, ...(drawn.notes || [])], table: () => tableOf(links, c.store),
            summary: summaryOf(links, peers, c)};
  }

  /** Return number, id and data group of each peer, those of one data group side by side. */
  function peersOf(store) {
    return store.peersByGroup().map((peer) => ({peer, id: store.peerId(peer), group: store.groupOf(peer)}));
  }

  /** Return what tells whether a link is to stand out: null if nothing is selected. */
  function chosen(c) {
    const {peer, fault} = c.selection;
    if (fault != null) {
      const hit = c.store.table("faults").rows().find((each) => each.occurrence === fault);
      if (!hit) return null;
      const pairs = new Set(hit.links.map(([a, b]) => `${a} ${b}`));
      return (link) => pairs.has(`${link.sender} ${link.receiver}`) ||
        hit.peers.includes(link.sender) || hit.peers.includes(link.receiver);
    }
    return peer == null ? null : (link) => link.sender === peer || link.receiver === peer;
  }

  // The circle ------------------------------------------------------------------------------

  /** Return [x, y] for each peer, on a circle of radius 1, with a gap between data groups. */
  function places(peers) {
    const slots = [];
    let slot = 0;
    peers.forEach((peer, i) => {
      if (i && peers[i - 1].group !== peer.group) slot += 1;
      slots.push(slot);
      slot += 1;
    });
    const whole = slot + (peers.length && peers[0].group !== peers[peers.length - 1].group ? 1 : 0);
    return slots.map((each) => {
      const angle = 2 * Math.PI * each / Math.max(1, whole) - Math.PI / 2;
      return [Math.cos(angle), Math.sin(angle)];
    });
  }

  function labelSide([x, y]) {
    if (Math.abs(x) > 0.35) return x > 0 ? "right" : "left";
    return y > 0 ? "bottom" : "top";
  }

  function circle(c, peers, links) {
    const size = Math.max(240, Math.min(560, c.width - 160));
    const at = places(peers), index = new Map(peers.map((peer, i) => [peer.peer, i]));
    const groups = [...new Set(peers.map((peer) => peer.group))];
    const nodes = peers.map((peer, i) => ({
      name: peer.id, peer: peer.peer, x: 100 * at[i][0], y: 100 * at[i][1],
      category: groups.indexOf(peer.group),
      symbolSize: peer.peer === c.selection.peer ? 26 : 17,
      itemStyle: {borderColor: c.palette.text, borderWidth: peer.peer === c.selection.peer ? 3 : 0.5},
      label: {show: true, position: labelSide(at[i]), color: c.palette.text},
    }));
    return {
      height: size + 120,
      option: {
        legend: groups.length > 1 ? {bottom: 0, itemWidth: 14, data: groups.map((group) => ({
          name: groupName(group), icon: c.palette.group(group).symbol}))} : undefined,
        tooltip: {formatter: (item) => tip(item.data, c)},
        series: [{
          type: "graph", layout: "none", left: (c.width - size) / 2, top: 40,
          width: size, height: size, data: nodes, links: edges(c, links, index),
          categories: groups.map((group) => ({
            name: groupName(group), symbol: c.palette.group(group).symbol,
            itemStyle: {color: c.palette.group(group).color},
          })),
          edgeSymbol: ["none", "arrow"], edgeSymbolSize: 5,
          emphasis: {focus: "adjacency"},
        }],
      },
    };
  }

  function edges(c, links, index) {
    const stands = chosen(c), most = Math.max(1, ...links.map((link) => link[c.controls.bytes] || 0));
    return links.map((link) => ({
      source: index.get(link.sender), target: index.get(link.receiver), link,
      lineStyle: {
        width: THINNEST + (WIDEST - THINNEST) * (link[c.controls.bytes] || 0) / most,
        type: link.cut ? "dashed" : "solid",
        color: c.palette.group(c.store.groupOf(link.sender)).color,
        opacity: stands ? (stands(link) ? LIT : FADED) : NORMAL,
        curveness: 0.14,
      },
    }));
  }

  function groupName(group) {
    return group < 0 ? "no data group" : `data group ${group}`;
  }

  // The matrix ------------------------------------------------------------------------------

  function matrix(c, peers, links) {
    const size = Math.max(280, Math.min(760, c.width - 150));
    const index = new Map(peers.map((peer, i) => [peer.peer, i]));
    const stands = chosen(c), names = peers.map((peer) => peer.id);
    const cell = (link) => [index.get(link.receiver), index.get(link.sender)];
    const data = links.map((link) => ({
      value: [...cell(link), link[c.controls.bytes] || 0], link,
      itemStyle: {opacity: !stands || stands(link) ? 1 : 0.25},
    }));
    const most = Math.max(1, ...data.map((each) => each.value[2]));
    const skipped = Math.ceil(LABEL * peers.length / size) - 1; // labels left out between two that are shown
    const axis = {
      type: "category", data: names.map((name) => prisam.text.short(name, 10)), nameLocation: "middle", nameGap: 62,
    };
    return {
      height: size + 170,
      notes: [`${peers.length} peers: drawn as a matrix, ordered by data group; lines stand between groups.`],
      option: {
        grid: {left: Math.max(100, (c.width - size) / 2), top: 10, width: size, height: size},
        xAxis: {...axis, name: "receiver", axisLabel: {rotate: 90, interval: skipped, fontSize: 11}},
        yAxis: {...axis, name: "sender", inverse: true, axisLabel: {interval: skipped, fontSize: 11}},
        visualMap: {
          type: "continuous", min: 0, max: most, seriesIndex: 0, orient: "horizontal", bottom: 0,
          left: "center", calculable: true, formatter: (n) => prisam.text.axisBytes(n),
          inRange: {color: c.palette.scale("sequential").slice(1)}, // the palest would hide a link
        },
        tooltip: {formatter: (item) => tip(item.data, c)},
        series: [
          {type: "heatmap", data, progressive: 0, emphasis: {itemStyle: {borderColor: c.palette.text}}},
          groupLines(c, peers),
          {
            type: "scatter", name: "cut by a fault", symbol: CROSS,
            symbolSize: Math.max(3, 0.6 * size / peers.length),
            itemStyle: {color: "none", borderColor: c.palette.verdict("false").color, borderWidth: 1.5, shadowBlur: 3, shadowColor: c.palette.surface},
            data: links.filter((link) => link.cut).map((link) => ({value: cell(link), link})),
          },
        ],
      },
    };
  }

  /** Return the lines between data groups, across the matrix and down. */
  function groupLines(c, peers) {
    const begins = peers.flatMap((peer, i) => (i && peers[i - 1].group !== peer.group ? [[i, i]] : []));
    return {
      type: "custom", name: "between data groups", data: begins, silent: true, z: 4,
      renderItem: ({coordSys: {x, y, width, height}}, api) => {
        const [across, down] = api.coord([api.value(0), api.value(1)]), [w, h] = api.size([1, 1]);
        const line = (x1, y1, x2, y2) => ({type: "line", shape: {x1, y1, x2, y2}, style: {stroke: c.palette.text, lineWidth: 1}});
        const left = across - w / 2, top = down - h / 2;
        return {type: "group", children: [line(left, y, left, y + height), line(x, top, x + width, top)]};
      },
    };
  }

  // In words --------------------------------------------------------------------------------

  function tip(data, c) {
    if (!data.link) return prisam.text.tooltip(data.name, [["", groupName(c.store.groupOf(data.peer))]]);
    const link = data.link, id = (peer) => c.store.peerId(peer);
    return prisam.text.tooltip(`${id(link.sender)} → ${id(link.receiver)}`, [
      ["payload", prisam.text.wholeBytes(link.n_bytes)],
      ["on the wire", prisam.text.wholeBytes(link.wire_bytes)],
      ["rate", link.rate_mbit_s == null ? "not limited" : `${link.rate_mbit_s} Mbit/s`],
      ["delay", link.delay_ms == null ? "none asked" : `${link.delay_ms} ms`],
      ["faults that cut it", link.cut],
    ]);
  }

  function tableOf(links, store) {
    const sorted = [...links].sort((a, b) => (b.wire_bytes || 0) - (a.wire_bytes || 0));
    return {
      columns: ["sender", "receiver", "payload, B", "on the wire, B", "rate, Mbit/s", "delay, ms", "faults that cut it"],
      rows: sorted.map((link) => [store.peerId(link.sender), store.peerId(link.receiver), link.n_bytes,
        link.wire_bytes, link.rate_mbit_s, link.delay_ms, link.cut]),
    };
  }

  function summaryOf(links, peers, c) {
    const cut = links.filter((link) => link.cut).length;
    const bytes = links.reduce((sum, link) => sum + (link[c.controls.bytes] || 0), 0);
    return `${peers.length} peers and ${links.length} directed links, which carried ` +
      `${prisam.text.bytes(bytes)} (${MEASURES[c.controls.bytes]}); faults cut ${cut} of them.`;
  }

  function click(event, c) {
    const data = event.data || {};
    if (data.link) return {peer: data.link.sender};
    return data.peer === undefined ? null : {peer: data.peer};
  }

  prisam.view({
    id: "network", title: "Network", order: 6, tables: ["peers", "links", "faults"],
    how: "Each line is a directed link, in the colour of the peer that sends; the wider it is, the more " +
      "bytes it carried. A dashed line was cut by a fault at least once. Shape and colour of a peer tell " +
      "its data group. Choose a peer, or a fault, to make its links stand out. More than " +
      `${MOST_ON_CIRCLE} peers are a matrix: a row sends, a column receives, a cross marks a cut link.`,
    figures: [{
      id: "network", title: "Links and what they carried", follows: ["peer", "fault"], build, click,
      controls: [{id: "bytes", label: "Bytes", options: Object.entries(MEASURES)}],
    }],
  });
})();
