/* What the timeline shows, found by peer: spans by phase, pulls by lane, gaps without a record.
   From the store. */
"use strict";

(function () {
  const GAP_S = 0.05;
  const { listsBy, firstAfter, rowAt, gaps } = prisam.spanIndex;
  const WAITS = /wait|barrier|between/;

  let cached = { spans: null, pulls: null, end_s: null, order: null, model: null };

  /**
   * The model of the chosen run, with its peers in an order of charts.js; made anew only when its
   * spans or pulls have changed.
   */
  function modelOf(store, order) {
    const [spans, pulls] = [store.table("spans").order(), store.table("pulls").order()];
    const now = { spans, pulls, end_s: endOf(store), order };
    if (Object.entries(now).some(([name, value]) => cached[name] !== value)) {
      cached = { ...now, model: make(store, now.end_s, order) };
    }
    return cached.model;
  }

  function make(store, end_s, order) {
    const peers = prisam.charts.ordered(store, order);
    const phases = store.facts.phases || [];
    const spans = store.table("spans");
    const pulls = store.table("pulls");
    const span = spans.columns;
    const pull = pulls.columns;
    let lanes = 1;
    for (const lane of pull.lane || []) lanes = Math.max(lanes, (lane || 0) + 1);
    const model = {
      order,
      peers,
      rowOf: new Map(peers.map((peer, row) => [peer, row])),
      phases,
      waits: phases.map((name) => WAITS.test(name)),
      lanes,
      end_s,
      span,
      pull,
      nSpans: spans.n,
      nPulls: pulls.n,
      spanLists: listsBy(
        spans.n,
        span.begin_s,
        span.end_s,
        (row) => span.peer[row] * phases.length + span.phase[row],
      ),
      pullLists: listsBy(
        pulls.n,
        pull.began_s,
        pull.end_s,
        (row) => pull.peer[row] * lanes + (pull.lane[row] || 0),
      ),
    };
    model.gaps = new Map(
      store
        .table("peers")
        .rows()
        .map(({ peer, state }) => [peer, gapsOf(model, peer, lasts(store, state))]),
    );
    return model;
  }

  const endOf = (store) => {
    const { duration_s, now_s } = store.facts;
    return Math.max(duration_s || 0, now_s || 0, 0.001);
  };

  /** The lists of a peer's spans as [phase, list]. */
  function spansOf(model, peer) {
    const found = [];
    for (let phase = 0; phase < model.phases.length; phase += 1) {
      const list = model.spanLists.get(peer * model.phases.length + phase);
      if (list) found.push([phase, list]);
    }
    return found;
  }

  function pullsOf(model, peer) {
    const found = [];
    for (let lane = 0; lane < model.lanes; lane += 1) {
      const list = model.pullLists.get(peer * model.lanes + lane);
      if (list) found.push([lane, list]);
    }
    return found;
  }

  /**
   * Whether a peer should have records until the end. A span that is open, and what a peer that is
   * done does, is in none.
   */
  const lasts = (store, state) =>
    store.facts.status !== "running" && state !== "completed" && state !== "stopped";

  function gapsOf(model, peer, lasting) {
    const lists = spansOf(model, peer).map(([, list]) => list);
    const until_s = lasting
      ? model.end_s
      : Math.max(0, ...lists.map((list) => list.end[list.end.length - 1]));
    return lists.length ? gaps(lists, until_s, GAP_S) : [];
  }

  /**
   * The row in table `spans` of what a peer did at a moment, give or take `slack_s`; -1 if nothing
   * is recorded.
   */
  function spanAt(model, peer, t_s, slack_s) {
    let best = -1;
    let away = Infinity;
    for (const [, list] of spansOf(model, peer)) {
      const row = rowAt(list, t_s, slack_s);
      if (row < 0) continue;
      const distance = Math.max(model.span.begin_s[row] - t_s, t_s - model.span.end_s[row], 0);
      if (distance < away) [best, away] = [row, distance];
    }
    return best;
  }

  /**
   * From when to when a round lasts at a peer, or at all (peer null): [begin, end], null where none
   * is recorded.
   */
  function roundWindow(model, round, peer) {
    const { round: rounds, peer: peers, begin_s, end_s } = model.span;
    let window = null;
    for (let row = 0; row < model.nSpans; row += 1) {
      if (rounds[row] !== round || (peer !== null && peers[row] !== peer)) continue;
      if (window === null) window = [begin_s[row], end_s[row]];
      else window = [Math.min(window[0], begin_s[row]), Math.max(window[1], end_s[row])];
    }
    return window;
  }

  /**
   * The arrows that lead to a peer: masks from when their sender announced them, weights from the
   * request on.
   * Returns [{kind, round, from, begin_s, end_s}].
   */
  function arrowsTo(model, store, peer) {
    return [...masksTo(model, store, peer), ...weightsTo(model, peer)];
  }

  function masksTo(model, store, peer) {
    const neighbors = neighborsOf(store, peer);
    const announcing = model.phases.indexOf("announcing");
    const found = [];
    for (const row of store.table("arrivals").rows()) {
      if (
        row.peer !== peer ||
        !row.offsets ||
        row.first_s === null ||
        row.offsets.length !== neighbors.length
      )
        continue;
      row.offsets.forEach((ms, place) => {
        if (ms === null) return;
        const from = neighbors[place];
        const end_s = row.first_s + ms / 1000;
        const list = model.spanLists.get(from * model.phases.length + announcing);
        const sent = list ? firstAfter(list.begin, end_s) - 1 : -1;
        if (sent >= 0)
          found.push({
            kind: "mask",
            round: row.round,
            from,
            begin_s: Math.min(list.end[sent], end_s),
            end_s,
          });
      });
    }
    return found;
  }

  function weightsTo(model, peer) {
    const found = [];
    for (const [, list] of pullsOf(model, peer)) {
      list.row.forEach((row, i) => {
        const { round, donor, outcome } = model.pull;
        if (outcome[row] !== "failed") {
          found.push({
            kind: "weights",
            round: round[row],
            from: donor[row],
            begin_s: list.begin[i],
            end_s: list.end[i],
          });
        }
      });
    }
    return found;
  }

  /** The neighbors of a peer in the order of their ids. */
  function neighborsOf(store, peer) {
    const { sender, receiver } = store.table("links").columns;
    return (sender || []).filter((_, row) => receiver[row] === peer).sort((a, b) => a - b);
  }

  /** Peer -> the rounds that it sat out, as rows of table `sat_out`. */
  function pausesOf(store) {
    const found = new Map();
    for (const row of store.table("sat_out").rows()) {
      if (!found.has(row.peer)) found.set(row.peer, []);
      found.get(row.peer).push(row);
    }
    return found;
  }

  prisam.timelineModel = { pausesOf, modelOf, spansOf, pullsOf, spanAt, roundWindow, arrowsTo };
})();
