/* What view 4 shows: accuracies by peer and round, and what aggregation changed in them. From the
   store. */
"use strict";

(function () {
  const { TRAINED, AGGREGATED } = prisam.charts.MOMENTS;
  const N_MOMENTS = prisam.charts.MOMENT_NAMES.length;

  let cached = { order: null };

  /**
   * Accuracies by peer and round: {peers, rounds, at(peer, round, moment), changes: row by row,
   * null = not known}.
   */
  function modelOf(store, measure) {
    const table = store.table("accuracy");
    if (cached.order !== table.order() || cached.measure !== measure)
      cached = { order: table.order(), measure, model: make(store, table, measure) };
    return cached.model;
  }

  function make(store, table, measure) {
    const peers = store.peersByGroup();
    const rowOf = new Map(peers.map((peer, row) => [peer, row]));
    const { peer, round, moment, [measure]: share } = table.columns;
    const rounds = (round || []).reduce((most, each) => Math.max(most, each + 1), 0);
    const shares = new Float64Array(peers.length * rounds * N_MOMENTS).fill(NaN);
    for (let i = 0; i < table.n; i += 1) {
      if (rowOf.has(peer[i]) && round[i] >= 0 && share[i] !== null)
        shares[(rowOf.get(peer[i]) * rounds + round[i]) * N_MOMENTS + moment[i]] = share[i];
    }
    const known = (value) => (value === undefined || Number.isNaN(value) ? null : value);
    return {
      peers,
      rounds,
      at: (who, when, what) => known(shares[(rowOf.get(who) * rounds + when) * N_MOMENTS + what]),
      changes: Array.from({ length: peers.length * rounds }, (_, i) =>
        known(shares[i * N_MOMENTS + AGGREGATED] - shares[i * N_MOMENTS + TRAINED]),
      ),
    };
  }

  /** The deepest fall: {peer, round, change}. */
  function deepest({ peers, rounds, changes }) {
    let worst = -1;
    changes.forEach((change, i) => {
      if (change !== null && (worst < 0 || change < changes[worst])) worst = i;
    });
    return worst < 0
      ? null
      : { peer: peers[Math.floor(worst / rounds)], round: worst % rounds, change: changes[worst] };
  }

  /** A change of accuracy in words, as percentage points. */
  const points = (change) =>
    change === null
      ? "not known"
      : `${change >= 0 ? "+" : "−"}${prisam.text.number(Math.abs(change) * 100, 1)} points`;

  /** Why there is no change of accuracy to show. */
  const nothing = (store) =>
    store.facts.status === "running"
      ? "No round has been evaluated both after training and after aggregation yet."
      : "No round was evaluated both after training and after aggregation.";

  prisam.fellModel = { modelOf, deepest, points, nothing };
})();
