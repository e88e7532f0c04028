/* What is selected: a peer, a round, a fault, a run. It holds for all views, and the address has
   it. */
"use strict";

(function () {
  const KEYS = ["peer", "round", "fault", "run"];
  const listeners = [];
  let view = null;

  const selection = {
    peer: null, // number of a peer, as in table `peers`
    round: null, // from 0
    fault: null, // key of table `faults`
    run: null, // number of the run in the page

    /** Select: {peer, round, fault, run}. null deselects, a key that is left out stays. */
    set(change) {
      const before = KEYS.map((key) => selection[key]);
      for (const key of KEYS) if (key in change) selection[key] = change[key] ?? null;
      if (KEYS.every((key, i) => selection[key] === before[i])) return;
      writeHash();
      tell(KEYS.filter((key, i) => selection[key] !== before[i]));
    },

    /** Select as a click does: what is selected already is deselected. */
    toggle(change) {
      const same = Object.entries(change).every(
        ([key, value]) => selection[key] === (value ?? null),
      );
      selection.set(
        same ? Object.fromEntries(Object.keys(change).map((key) => [key, null])) : change,
      );
    },

    clear() {
      selection.set({ peer: null, round: null, fault: null });
    },

    get empty() {
      return selection.peer === null && selection.round === null && selection.fault === null;
    },

    /** Call `fn([changed keys])` after each change. */
    onChange(fn) {
      listeners.push(fn);
    },

    /** Note in the address which view is looked at. */
    at(id) {
      view = id;
      writeHash();
    },

    /** Read the address; return the view that it names, or null. */
    readHash() {
      const hash = new URLSearchParams(location.hash.slice(1));
      const before = KEYS.map((key) => selection[key]);
      const run = whole(hash.get("run"));
      selection.run = run !== null && run < prisam.store.runs.length ? run : null;
      prisam.store.choose(selection.run ?? 0);
      selection.peer = hash.has("peer") ? prisam.store.peerOf(hash.get("peer")) : null;
      selection.round = whole(hash.get("round"));
      selection.fault = faultOf(hash.get("fault"));
      const changed = KEYS.filter((key, i) => selection[key] !== before[i]);
      if (changed.length) tell(changed);
      view = hash.get("view") || view;
      return hash.get("view");
    },
  };

  function whole(text) {
    return text !== null && /^\d{1,7}$/.test(text) ? Number(text) : null;
  }

  function faultOf(text) {
    if (text === null) return null;
    const found = (prisam.store.table("faults").columns.occurrence || []).find(
      (each) => String(each) === text,
    );
    return found === undefined ? null : found;
  }

  function writeHash() {
    const hash = new URLSearchParams();
    if (view) hash.set("view", view);
    if (selection.run) hash.set("run", selection.run);
    if (selection.peer !== null) hash.set("peer", prisam.store.peerId(selection.peer));
    if (selection.round !== null) hash.set("round", selection.round);
    if (selection.fault !== null) hash.set("fault", selection.fault);
    const text = hash.toString();
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  }

  function tell(changed) {
    if (changed.includes("run")) prisam.store.choose(selection.run ?? 0);
    for (const fn of listeners) fn(changed);
  }

  prisam.selection = selection;
})();
