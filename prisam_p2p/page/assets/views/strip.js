/* View 1: the verdict strip. Tiles of the run's main figures, each a link to its evidence. */
"use strict";

prisam.view({
  id: "strip",
  title: "Verdict",
  order: 1,
  tables: ["tiles"],
  how:
    'Each tile is one figure of the run as "prisam summary" prints it, and a link to the view ' +
    "that is its evidence. ✓ says that it is as it should be, ✗ that a rule was broken or peers " +
    "were lost, ? that nothing could be judged.",
  draw(body, { store, palette }) {
    const { element, views } = prisam;
    const rows = store
      .table("tiles")
      .rows()
      .slice()
      .sort((a, b) => a.place - b.place);
    const tiles = rows.map((row) => {
      const { tone, symbol } = palette.verdict(row.tone);
      const link = views.link(row.view, "");
      link.className = `tile ${tone}`;
      link.title = row.detail ?? ""; // all of it, where the tile has room for four lines only
      link.dataset.tile = row.id;
      link.append(
        element("span", { class: "label", text: row.label }),
        element(
          "span",
          { class: "value" },
          symbol ? element("span", { class: "tone", text: `${symbol} ` }) : null,
          element("span", { class: "printed", text: row.value }),
        ),
        element("span", { class: "detail", text: row.detail ?? "" }),
      );
      return element("li", {}, link);
    });
    body.replaceChildren(
      tiles.length
        ? element("ul", { class: "tiles" }, ...tiles)
        : element("p", {
            class: "empty",
            text: "This run has no summary: nothing of it could be read.",
          }),
    );
  },
});
