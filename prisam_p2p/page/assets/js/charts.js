/* What the charts of several views have in common: names of moments, axes and peers, per cent, how
   high a legend is, and where data groups begin. Pure. */
"use strict";

(function () {
  const { short } = prisam.text;
  const LETTER_PX = 7;

  /** The numbers of the moments at which a model is evaluated, as `moments` in a run's facts. */
  const MOMENTS = { TRAINED: 0, AVERAGED: 1, AGGREGATED: 2, FINE_TUNED: 3 };
  const MOMENT_NAMES = ["trained", "averaged", "aggregated", "fine-tuned"]; // by these numbers

  /** A model is fine-tuned once, after the last round: a star, and no line. */
  const STAR = "path://M10 0L12.6 7H20L14 11.5L16.2 19L10 14.5L3.8 19L6 11.5L0 7H7.4Z";

  /** A round that a peer sat out, in all views: two upright bars, a pause. */
  const PAUSE = "path://M0 0H4V12H0ZM8 0H12V12H8Z";

  /** Whether models of a run were fine-tuned. */
  const isFineTuned = (store) =>
    (store.table("accuracy").columns.moment || []).includes(MOMENTS.FINE_TUNED);

  /** The name of an axis, in its middle, `nameGap` pixels away from it. */
  const axisName = (name, nameGap = 26) => ({ name, nameLocation: "middle", nameGap });

  /** The name of an upright axis, above it. */
  const topName = (name) => ({ name, nameTextStyle: { align: "left" } });

  /** A share in [0, 1] beside an axis. */
  const percent = (share) => `${Math.round(share * 100)} %`;

  /** In how many rows names of a legend stand; each has a symbol, `symbolPx` wide with its gaps. */
  function legendRows(names, width, symbolPx) {
    let [rows, x] = [1, 0];
    for (const name of names) {
      const itself = symbolPx + name.length * LETTER_PX;
      if (x + itself > width) [rows, x] = [rows + 1, 0];
      x += itself;
    }
    return rows;
  }

  /** A peer beside an axis: its id, cut to `most` letters, its data group and host if any. */
  function peerName(store, peer, most, round) {
    const group = store.groupOf(peer, round);
    const parts = [short(store.peerId(peer), most), group < 0 ? "" : `g${group}`];
    return [...parts, store.hostOf(peer)].filter(Boolean).join(" · ");
  }

  /** A control that orders peers, of runs with hosts, and the orders that it offers. */
  const BY_HOST = "host";
  const orderControl = {
    id: "order",
    label: "Peers",
    when: (store) => store.hasHosts,
    options: [
      ["group", "by data group"],
      [BY_HOST, "by host"],
    ],
  };

  /** The peers in the order that a reader chose. */
  const ordered = (store, order) =>
    order === BY_HOST ? store.peersByHost() : store.peersByGroup();

  /** What tells the part that a peer is in, in this order: its host, or its data group. */
  const partOf = (store, order, round) => (peer) =>
    order === BY_HOST ? store.hostOf(peer) : store.groupOf(peer, round);

  const groupName = (group) => (group < 0 ? "no data group" : `data group ${group}`);

  /**
   * The places in a list of peers at which another data group, or host, begins; not the first
   * place.
   */
  function groupBegins(store, peers, order, round) {
    const part = partOf(store, order, round);
    return peers.flatMap((peer, place) =>
      place && part(peer) !== part(peers[place - 1]) ? [place] : [],
    );
  }

  /**
   * Lines between data groups, or hosts, across a matrix of n peers and down, as `frames` of its
   * series.
   */
  function groupFrames(store, peers, color, order, round) {
    const common = { inset: 0, style: { fill: null, stroke: color, lineWidth: 1 } };
    const begins = groupBegins(store, peers, order, round);
    return [
      { cells: begins.map((row) => [0, row]), span: [peers.length, 0], ...common },
      { cells: begins.map((column) => [column, 0]), span: [0, peers.length], ...common },
    ];
  }

  prisam.charts = {
    MOMENTS,
    MOMENT_NAMES,
    STAR,
    PAUSE,
    isFineTuned,
    axisName,
    topName,
    percent,
    legendRows,
    peerName,
    groupName,
    orderControl,
    ordered,
    partOf,
    groupBegins,
    groupFrames,
  };
})();
