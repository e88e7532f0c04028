/* The data of the page: tables by columns, as page/data made them, and what changes in them. */
"use strict";

(function () {
  /** The key columns of each table; page/data has the same, and a test compares them. */
  const KEYS = {
    tiles: ["id"],
    peers: ["peer"],
    data_groups: ["peer", "first_round"],
    hosts: ["host"],
    spans: ["peer", "begin_s", "phase"],
    pulls: ["peer", "began_s", "donor"],
    servings: ["peer", "to", "end_s"],
    arrivals: ["peer", "round"],
    sat_out: ["peer", "round"],
    accuracy: ["peer", "round", "moment"],
    per_class: ["peer", "round", "moment"],
    reference: ["source", "round", "moment"],
    groups: ["peer", "round"],
    masks: ["peer", "round"],
    choices: ["peer", "round"],
    mask_bits: ["mask"],
    ari: ["round"],
    bytes: ["round", "kind", "layer"],
    links: ["sender", "receiver"],
    push_everything: ["round"],
    closure: ["step"],
    faults: ["occurrence"],
    resources: ["peer", "round"],
    checks: ["name"],
    notes: ["at_s", "peer", "text"],
  };

  function compare(a, b) {
    if (a === b) return 0;
    if (a === null || a === undefined) return -1;
    if (b === null || b === undefined) return 1;
    return a < b ? -1 : 1;
  }

  /** One table. `columns` holds an array for each column, all of one length. */
  class Table {
    constructor(name, columns) {
      this.name = name;
      this.columns = columns || {};
      this.keys = KEYS[name] || [];
      this._index = null; // key -> row; built when the first change comes
      this._forget();
    }

    get n() {
      for (const column of Object.values(this.columns)) return column.length;
      return 0;
    }

    has(column) {
      return column in this.columns;
    }

    keyOf(i) {
      return JSON.stringify(this.keys.map((key) => this.columns[key][i]));
    }

    /** Row numbers in the order of the key: for big tables, which are read by columns. */
    order() {
      if (!this._order) {
        const keys = this.keys.map((key) => this.columns[key]).filter(Boolean);
        const before = (a, b) => {
          for (const column of keys) {
            const found = compare(column[a], column[b]);
            if (found) return found;
          }
          return 0;
        };
        const order = Array.from({ length: this.n }, (_, i) => i);
        let sorted = true;
        for (let i = 1; i < order.length && sorted; i += 1) sorted = before(i - 1, i) <= 0;
        this._order = sorted ? order : order.sort(before);
      }
      return this._order;
    }

    /** One row as an object. */
    row(i) {
      const row = {};
      for (const name of Object.keys(this.columns)) row[name] = this.columns[name][i];
      return row;
    }

    /** Rows as objects, in the order of the key. They are made once, until the table changes. */
    rows() {
      this._rows ??= this.order().map((i) => this.row(i));
      return this._rows;
    }

    /** The rows of a peer in a round, in the order of the key. */
    rowsOf(peer, round) {
      return this.rows().filter((row) => row.peer === peer && row.round === round);
    }

    /** Put rows in: one with a key that is there takes its place. */
    upsert(columns) {
      const names = Object.keys(columns);
      if (!names.length) return;
      for (const name of names) {
        if (!this.has(name)) this.columns[name] = new Array(this.n).fill(null);
      }
      if (!this._index) {
        this._index = new Map();
        for (let i = 0; i < this.n; i += 1) this._index.set(this.keyOf(i), i);
      }
      const count = columns[names[0]].length;
      let end = this.n;
      for (let i = 0; i < count; i += 1) {
        const key = JSON.stringify(this.keys.map((name) => columns[name][i]));
        const row = this._index.has(key) ? this._index.get(key) : end;
        if (row === end) {
          this._index.set(key, end);
          end += 1;
        }
        for (const name of Object.keys(this.columns)) {
          this.columns[name][row] =
            name in columns ? columns[name][i] : (this.columns[name][row] ?? null);
        }
      }
      this._forget();
    }

    _forget() {
      this._order = null;
      this._rows = null;
    }
  }

  /** One run: its facts and tables. */
  class Run {
    constructor(data, index) {
      this.index = index;
      this.facts = data.facts || {};
      this._tables = {};
      for (const [name, table] of Object.entries(data.tables || {}))
        this._tables[name] = new Table(name, table.columns);
      this._forget();
    }

    /** The table of this name; one without rows where the run has none. */
    table(name) {
      if (!this._tables[name]) this._tables[name] = new Table(name, {});
      return this._tables[name];
    }

    get name() {
      return String(this.facts.name ?? `run ${this.index + 1}`);
    }

    /** The id of a peer by its number; -1 and none is the launcher. */
    peerId(i) {
      if (i === null || i === undefined || i < 0) return "launcher";
      if (!this._ids) this._ids = this._byPeer("id");
      return this._ids.has(i) ? String(this._ids.get(i)) : `peer ${i}`;
    }

    /** The number of a peer by its id; null where there is none. */
    peerOf(id) {
      const { peer, id: ids } = this.table("peers").columns;
      const row = (ids || []).findIndex((each) => String(each) === id);
      return row < 0 ? null : peer[row];
    }

    /** The data group of a peer in a round, at the beginning without one; -1: it has none. */
    groupOf(i, round = 0) {
      if (!this._groups) this._groups = this._byPeer("group");
      const begun = this._groupPeriods()
        .get(i)
        ?.filter((row) => row.first_round <= round);
      return begun?.length ? begun[begun.length - 1].group : (this._groups.get(i) ?? -1);
    }

    /** Peer -> its rows in `data_groups`, ascending, of peers whose data group changes. */
    _groupPeriods() {
      if (!this._periods) {
        this._periods = new Map();
        for (const row of this.table("data_groups").rows())
          this._periods.set(row.peer, [...(this._periods.get(row.peer) || []), row]);
      }
      return this._periods;
    }

    /** Whether the run has hosts. */
    get hasHosts() {
      return this.table("hosts").n > 0;
    }

    /** The host of a peer's last process; "" in a run without hosts. */
    hostOf(i) {
      if (!this._hosts) this._hosts = this._byPeer("host");
      return this._hosts.get(i) ?? "";
    }

    /**
     * Numbers of peers, by data group (of a round, or at the beginning) and then by id; peers
     * without a group come last.
     */
    peersByGroup(round = 0) {
      if (!this._sorted.has(round)) {
        const rank = (peer) => {
          const group = this.groupOf(peer, round);
          return group < 0 ? Infinity : group;
        };
        const peers = this.table("peers").rows();
        const sorted = peers.map((row) => row.peer).sort((a, b) => rank(a) - rank(b) || a - b);
        this._sorted.set(round, sorted);
      }
      return this._sorted.get(round);
    }

    /** Numbers of peers, by host, and there by data group and id. */
    peersByHost() {
      const { inOrder } = prisam.text;
      this._sortedByHost ??= [...this.peersByGroup()].sort((a, b) =>
        inOrder(this.hostOf(a), this.hostOf(b)),
      );
      return this._sortedByHost;
    }

    upsert(update) {
      Object.assign(this.facts, update.facts || {});
      for (const [name, table] of Object.entries(update.tables || {}))
        this.table(name).upsert(table.columns);
      this._forget();
    }

    _byPeer(column) {
      const { peer, [column]: values } = this.table("peers").columns;
      return new Map((peer || []).map((each, row) => [each, values ? values[row] : null]));
    }

    _forget() {
      this._ids = null;
      this._groups = null;
      this._hosts = null;
      this._periods = null;
      this._sorted = new Map();
      this._sortedByHost = null;
    }
  }

  const listeners = [];

  const store = {
    KEYS,
    runs: [],
    /** The chosen run. */
    run: new Run({}, 0),
    get facts() {
      return store.run.facts;
    },
    table: (name) => store.run.table(name),
    peerId: (i) => store.run.peerId(i),
    peerOf: (id) => store.run.peerOf(id),
    groupOf: (i, round) => store.run.groupOf(i, round),
    peersByGroup: (round) => store.run.peersByGroup(round),
    get hasHosts() {
      return store.run.hasHosts;
    },
    hostOf: (i) => store.run.hostOf(i),
    peersByHost: () => store.run.peersByHost(),

    /** Take the whole payload. */
    open(payload) {
      if (payload.format !== 1)
        throw new Error(`this page reads data of format 1, not ${payload.format}`);
      store.runs = payload.runs.map((run, index) => new Run(run, index));
      store.run = store.runs[0];
    },

    /** Take another whole payload in place of what is shown. */
    replace(payload) {
      const { index } = store.run;
      store.open(payload);
      store.run = store.runs[index] || store.runs[0];
      tell({ tables: Object.keys(KEYS), facts: true });
    },

    /** Choose another run of those in the page. */
    choose(index) {
      if (!store.runs[index] || store.runs[index] === store.run) return;
      store.run = store.runs[index];
      tell({ tables: Object.keys(KEYS), facts: true });
    },

    /**
     * Put changed facts and rows in: {facts, tables: {NAME: {columns}}}. That time goes on is no
     * news of its own.
     */
    upsert(update, index = 0) {
      const run = store.runs[index];
      run.upsert(update);
      if (run === store.run || store.runs.length > 1) {
        tell({
          tables: Object.keys(update.tables || {}),
          facts: Object.keys(update.facts || {}).some((name) => name !== "now_s"),
        });
      }
    },

    /** Call `fn({tables: [names], facts: bool})` after each change. */
    onChange(fn) {
      listeners.push(fn);
    },
  };

  function tell(change) {
    for (const fn of listeners) fn(change);
  }

  prisam.store = store;
})();
