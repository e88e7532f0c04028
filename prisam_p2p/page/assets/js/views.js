/* The views: one file in views/ registers each. This builds their sections, and draws them anew. */
"use strict";

(function () {
  const { element } = prisam;
  const views = [];
  const figures = [];

  /** Register a view; the contract stands in docs/page.md, "A view of your own". */
  prisam.view = function (view) {
    views.push(view);
    views.sort((a, b) => a.order - b.order);
  };

  /** Build all sections. Nothing is drawn yet. */
  function build(main, nav) {
    main.replaceChildren();
    nav.replaceChildren();
    for (const view of shown()) {
      main.append(sectionOf(view));
      nav.append(element("li", {}, link(view.id, view.short || view.title)));
    }
  }

  /** A view's section: its heading, how to read it, and its body or its figures. */
  function sectionOf(view) {
    const section = element(
      "section",
      { id: `section-${view.id}`, class: "view", "aria-labelledby": `view-${view.id}` },
      element("h2", { id: `view-${view.id}`, tabindex: "-1", text: view.title }),
      element(
        "details",
        { class: "how" },
        element("summary", { text: "How to read it" }),
        element("p", { text: view.how }),
      ),
    );
    view.body = element("div", { class: "body" });
    if (view.draw) section.append(view.body);
    for (const spec of view.figures || []) {
      const figure = new prisam.Figure(view, spec);
      figures.push(figure);
      section.append(figure.element);
    }
    return section;
  }

  /** A link to a view: it keeps the selection that stands in the address. */
  function link(id, text) {
    const made = element("a", { href: `#view=${encodeURIComponent(id)}`, text });
    made.addEventListener("click", (event) => {
      event.preventDefault();
      go(id);
    });
    return made;
  }

  /** Scroll to a view and let the keyboard go on from there. */
  function go(id) {
    const heading = document.getElementById(`view-${id}`);
    if (!heading) return;
    heading.scrollIntoView({ block: "start" });
    heading.focus({ preventScroll: true });
    prisam.selection.at(id);
  }

  const shown = () => views.filter((view) => !view.when || view.when(prisam.store));

  /** Draw what the window shows first, without waiting to be told that it is in sight. */
  function drawFirst() {
    drawBodies(shown());
    for (const figure of figures) {
      if (figure.element.getBoundingClientRect().top < innerHeight) {
        figure.near = true;
        figure.draw();
      }
    }
  }

  function drawBodies(which) {
    const { store, selection, palette } = prisam;
    for (const view of which) view.draw?.(view.body, { store, selection, palette });
  }

  function follow() {
    prisam.store.onChange((change) => {
      const touched = (view) =>
        change.facts || (view.tables || []).some((name) => change.tables.includes(name));
      drawBodies(shown().filter(touched));
      for (const figure of figures) if (touched(figure.view)) figure.changed();
    });
    prisam.selection.onChange((keys) => {
      for (const figure of figures) {
        const follows = figure.spec.follows || ["peer", "round", "fault"];
        if (keys.some((key) => follows.includes(key) || key === "run")) figure.changed(true);
      }
      drawBodies(shown().filter((view) => view.follows));
    });
    prisam.theme.onChange(() => {
      for (const figure of figures) {
        const drawn = Boolean(figure.chart);
        figure.redrawAll();
        if (drawn) figure.draw();
      }
      drawBodies(shown());
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) for (const figure of figures) figure.changed();
    });
    let unfolded = []; // for the paper only
    addEventListener("beforeprint", () => {
      unfolded = [...document.querySelectorAll("details.how:not([open])")];
      for (const each of unfolded) each.open = true;
      prisam.theme.force("light");
      for (const figure of figures) figure.draw();
    });
    addEventListener("afterprint", () => {
      for (const each of unfolded) each.open = false;
      prisam.theme.force(null);
    });
  }

  prisam.views = {
    all: () => shown(),
    figures: () => figures,
    figure: (id) => figures.find((each) => each.id === id),
    build,
    drawFirst,
    follow,
    link,
    go,
  };
})();
