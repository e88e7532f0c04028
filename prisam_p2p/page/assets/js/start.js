/* Opens the data and begins. */
"use strict";

(function () {
  const { element, store, selection, theme, views } = prisam;
  const at = (id) => document.getElementById(id);

  /** Return the payload: base64 of gzip of JSON, which the browser itself inflates. */
  async function payload() {
    const packed = at("data").textContent.trim();
    if (typeof DecompressionStream === "undefined") {
      throw new Error(
        "This browser cannot inflate the page's data. Firefox 113, Chrome 80, Safari 16.4 and " +
          "later can.",
      );
    }
    const letters = atob(packed);
    const bytes = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i += 1) bytes[i] = letters.charCodeAt(i);
    const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(inflated).text());
  }

  function head() {
    const { facts } = store;
    at("name").textContent = store.run.name;
    document.title = `${store.run.name} · PRISAM`;
    at("headline").textContent = facts.headline || "";
    const parts = [
      facts.algorithm,
      [facts.topology, facts.peers && `${facts.peers} peers`].filter(Boolean).join(", "),
      [facts.dataset, facts.model].filter(Boolean).join(" · "),
      prisam.text.known(facts.rounds)
        ? `${facts.rounds_done ?? "?"} of ${facts.rounds} rounds`
        : null,
      prisam.text.known(facts.seed) ? `seed ${facts.seed}` : null,
      facts.began,
      facts.redacted ? "redacted" : null,
    ];
    at("facts").textContent = parts.filter(Boolean).join("  |  ");
    const missing = facts.missing || [];
    at("missing").replaceChildren(
      ...(missing.length
        ? [
            element("strong", { text: "Not in this page" }),
            element("ul", {}, ...missing.map((text) => element("li", { text: `${text}.` }))),
          ]
        : []),
    );
    at("colophon").textContent =
      `Made by prisam_p2p ${facts.prisam_version || ""}. Charts: Apache ECharts ` +
      `${echarts.version}. This file asks nothing of a network.`;
  }

  const selectionBar = () => prisam.selectionBar.show(at("selection"));

  function controls() {
    at("theme").value = theme.choice;
    at("theme").addEventListener("change", () => theme.choose(at("theme").value));
    at("skip").addEventListener("click", (event) => {
      event.preventDefault(); // the address keeps the selection
      at("views").focus();
    });
    addEventListener("keydown", (event) => {
      if (event.key === "Escape") selection.clear();
    });
    addEventListener("hashchange", () => {
      const view = selection.readHash();
      if (view) views.go(view);
    });
  }

  function follow() {
    const barOf = ["peers", "faults"];
    store.onChange((change) => {
      if (change.facts) head();
      if (change.facts || change.tables.some((name) => barOf.includes(name))) selectionBar();
    });
    selection.onChange(selectionBar);
    views.follow();
  }

  async function start() {
    controls();
    store.open(await payload());
    const view = selection.readHash();
    head();
    selectionBar();
    views.build(at("views"), at("nav"));
    views.drawFirst();
    follow();
    if (view) views.go(view);
    document.documentElement.dataset.ready = "true";
    performance.mark("prisam-ready"); // benchmarks/page.py reads when
    prisam.live?.start();
  }

  start().catch((error) => {
    at("views").replaceChildren(
      element("p", {
        class: "empty",
        role: "alert",
        text: `The page could not be drawn: ${error.message}`,
      }),
    );
    console.error(error);
  });
})();
