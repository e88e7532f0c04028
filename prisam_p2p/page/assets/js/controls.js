/* A control of a figure: a list to choose from, or a slider. Both work by keyboard. */
"use strict";

(function () {
  const { element } = prisam;

  const optionsOf = (spec) =>
    typeof spec.options === "function" ? spec.options(prisam.store) : spec.options;

  /** The value that a control has first, as text. */
  function first(spec) {
    return String(spec.value ?? (spec.options ? optionsOf(spec)[0]?.[0] : undefined) ?? "");
  }

  /**
   * Return a control: {element, refresh(c)}. `chosen(value)` is called with each value that a
   * reader chooses.
   */
  function make(spec, id, value, chosen) {
    return spec.range ? slider(spec, id, value, chosen) : list(spec, id, value, chosen);
  }

  function list(spec, id, value, chosen) {
    const choice = element("select", { id });
    const fill = () => {
      const options = optionsOf(spec);
      const same =
        options.length === choice.length &&
        options.every(
          ([each, label], i) => choice[i].value === String(each) && choice[i].text === label,
        );
      if (!same)
        choice.replaceChildren(
          ...options.map(([each, label]) => element("option", { value: each, text: label })),
        );
    };
    fill();
    choice.value = value;
    choice.addEventListener("change", () => chosen(choice.value));
    return {
      element: element("label", { class: "field" }, `${spec.label} `, choice),
      refresh(c) {
        fill();
        choice.value = c.controls[spec.id];
      },
    };
  }

  function slider(spec, id, value, chosen) {
    const words = element("output", { for: id });
    const choice = element("input", { type: "range", id });
    choice.value = value;
    let say = String;
    const show = () => {
      words.textContent = say(Number(choice.value));
      choice.setAttribute("aria-valuetext", words.textContent);
    };
    choice.addEventListener("input", () => {
      show();
      chosen(choice.value);
    });
    return {
      element: element("label", { class: "field" }, `${spec.label} `, choice, " ", words),
      refresh(c) {
        const range = spec.range(c);
        choice.min = range.min;
        choice.max = range.max;
        choice.step = range.step;
        choice.value = range.value ?? c.controls[spec.id];
        say = range.text || String;
        show();
      },
    };
  }

  prisam.controls = { first, make };
})();
