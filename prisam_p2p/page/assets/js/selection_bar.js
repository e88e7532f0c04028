/* The selection as form fields, so that the keyboard reaches all that a click does. */
"use strict";

(function () {
  const { element, store, selection } = prisam;
  let shown = "";

  /** Show the fields in an element. */
  function show(bar) {
    const fields = fieldsOf();
    const now = JSON.stringify(fields);
    if (now === shown) return; // a list that the reader has open stays open
    shown = now;
    const focused = document.activeElement?.id;
    bar.replaceChildren(...fields.map(made), clearButton());
    if (focused?.startsWith("select-")) document.getElementById(focused)?.focus();
  }

  /** The fields as {key, label, options, value, choose(text)}. */
  function fieldsOf() {
    const peers = store.peersByGroup().map((peer) => [String(peer), store.peerId(peer)]);
    const rounds = Array.from({ length: store.facts.rounds || 0 }, (_, i) => [
      String(i),
      String(i),
    ]);
    const faults = store
      .table("faults")
      .rows()
      .map((row) => [String(row.occurrence), `${row.occurrence} ${row.kind ?? ""}`])
      .sort(([a], [b]) => prisam.text.inOrder(a, b));
    return [
      ...(store.runs.length > 1 ? [runField()] : []),
      field("peer", "Peer", peers, Number),
      field("round", "Round", rounds, Number),
      ...(faults.length ? [field("fault", "Fault", faults, occurrenceOf)] : []),
    ];
  }

  /** A field that selects one of `options` or none; `valueOf(text)` is what to select. */
  const field = (key, label, options, valueOf) => ({
    key,
    label,
    options: [["", "any"], ...options],
    value: selection[key] === null ? "" : String(selection[key]),
    choose: (text) => selection.set({ [key]: text === "" ? null : valueOf(text) }),
  });

  /** Runs differ in peers, rounds and faults, so that another run has nothing selected. */
  const runField = () => ({
    key: "run",
    label: "Run",
    options: store.runs.map((run, i) => [String(i), run.name]),
    value: String(store.run.index),
    choose: (text) =>
      selection.set({ run: Number(text) || null, peer: null, round: null, fault: null }),
  });

  const occurrenceOf = (text) =>
    store.table("faults").columns.occurrence.find((each) => String(each) === text);

  const made = ({ key, label, options, value, choose }) =>
    prisam.controls.make({ label, options }, `select-${key}`, value, choose).element;

  function clearButton() {
    const clear = element("button", {
      type: "button",
      text: "Clear",
      title: "Escape does it too",
      disabled: selection.empty,
    });
    clear.addEventListener("click", () => selection.clear());
    return clear;
  }

  prisam.selectionBar = { show };
})();
