/* What view 7 adds up: bytes by round, kind of message and layer. From the store. */
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
  const COLUMNS = ["payload, B", "header, B", "framing, B", "stream, B", "wire, B"];

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

  /** Why there are no bytes to show. */
  function nothing(store) {
    return store.facts.status === "running"
      ? "Bytes are accounted for when the run has ended."
      : "This run sent no bytes.";
  }

  prisam.bytesModel = {
    LAYERS,
    SUMS,
    COLUMNS,
    bytesOf,
    added,
    total,
    upTo,
    columnsOf,
    nothing,
  };
})();
