"use strict";
// Draws the charts of the page from the data blocks beside them, and answers their switches.
(() => {
  const SETTINGS = { displayModeBar: false, responsive: true, doubleClick: "reset", showTips: false };
  const IS_COLOUR = /color$/;
  const COLUMN_WITH_ROOM = 100; // Pixels, the names of the rows included.
  // A finger that drags over a chart shall scroll the page, not zoom.
  const isCoarse = matchMedia("(pointer: coarse)");
  const isDark = matchMedia("(prefers-color-scheme: dark)");
  const isNarrow = matchMedia("(max-width: 40rem)");

  /** `value` with its CSS colours resolved: plotly knows no `var(--ink)`. A copy, which plotly may change. */
  function resolved(value, key = "") {
    if (Array.isArray(value)) return value.map((each) => resolved(each, key));
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, resolved(each, name)]));
    }
    return IS_COLOUR.test(key) ? colour(value) : value;
  }

  function colour(value) {
    const name = /^var\((--[\w-]+)\)$/.exec(value);
    return name ? getComputedStyle(document.documentElement).getPropertyValue(name[1]).trim() : value;
  }

  /** A heat map whose columns are too narrow for all that stands in its cells shows the first line of each. */
  function fitting(trace, width) {
    const isNarrow = trace.texttemplate && width / trace.x.length < COLUMN_WITH_ROOM;
    return isNarrow ? { ...trace, text: trace.text.map((row) => row.map((each) => each.split("<br>")[0])) } : trace;
  }

  /** What all charts share, under the layout of one. */
  function layoutOf(own, place) {
    const axis = {
      automargin: true, color: "var(--ink-soft)", gridcolor: "var(--grid)", zerolinecolor: "var(--rule)",
      linecolor: "var(--rule)", exponentformat: "power", tickfont: { size: 12 },
    };
    const base = {
      autosize: true, showlegend: false, hovermode: "closest", dragmode: isCoarse.matches ? false : "zoom",
      uirevision: String(place), paper_bgcolor: "var(--paper)", plot_bgcolor: "var(--paper)",
      margin: { l: 44, r: 16, t: 34, b: 48, pad: 2 },
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: "var(--ink)" },
      hoverlabel: { bgcolor: "var(--raised)", bordercolor: "var(--rule)", font: { color: "var(--ink)" }, align: "left", namelength: -1 },
    };
    const whole = { ...base, ...own, xaxis: { ...axis, ...own.xaxis }, yaxis: { ...axis, ...own.yaxis } };
    return resolved(whole);
  }

  class Chart {
    constructor(figure) {
      this.figure = figure;
      this.plot = figure.querySelector(".plot");
      this.views = JSON.parse(figure.querySelector("script").textContent);
      this.place = 0;
      this.select = figure.querySelector("select");
      this.select?.addEventListener("change", () => this.choose(Number(this.select.value)));
      figure.addEventListener("change", (event) => { if (event.target.type === "checkbox") this.draw(); });
      figure.addEventListener("click", (event) => this.press(event.target.closest("button")));
      this.isDrawn = false;
    }

    get view() { return this.views[this.place]; }

    groups() { return [...this.figure.querySelectorAll(`fieldset[data-view="${this.place}"]`)]; }

    choose(place) {
      this.place = place;
      for (const group of this.figure.querySelectorAll("fieldset")) group.hidden = Number(group.dataset.view) !== place;
      this.plot.setAttribute("aria-label", this.view.summary);
      this.draw();
    }

    press(button) {
      if (!button) return;
      if (!this.isDrawn) this.draw();  // nothing to fit or to reset before
      if (button.dataset.all) {
        const isOn = button.dataset.all === "on";
        for (const box of button.parentElement.querySelectorAll("input")) box.checked = isOn;
        this.draw();
      } else if (button.dataset.do === "fit") {
        Plotly.relayout(this.plot, { "xaxis.autorange": true, "yaxis.autorange": this.view.layout.yaxis.autorange ?? true });
      } else if (button.dataset.do === "reset") {
        Plotly.newPlot(this.plot, this.traces(), layoutOf(this.view.layout, this.place), SETTINGS);
      } else if (button.dataset.do === "save") {
        Plotly.downloadImage(this.plot, { format: "svg", filename: this.figure.id, width: 900, height: 520 });
      }
    }

    /** The traces whose switches are on, in every group. */
    traces() {
      const on = this.groups().map((group) => [...group.querySelectorAll("input")].map((box) => box.checked));
      return this.view.traces
        .filter((trace) => !trace.meta || trace.meta.every((option, group) => on[group]?.[option] ?? true))
        .map((trace) => fitting(resolved(trace), this.plot.clientWidth));
    }

    draw() {
      const traces = this.traces();
      this.plot.style.height = this.view.layout.height ? `${this.view.layout.height}px` : "";
      Plotly.react(this.plot, traces, layoutOf(this.view.layout, this.place), SETTINGS);
      this.isDrawn = true;
      const named = (some) => new Set(some.filter((trace) => trace.meta && trace.name).map((trace) => trace.name)).size;
      const all = named(this.view.traces);
      const status = all ? `${named(traces)} of ${all} shown` : "";
      const told = this.figure.querySelector(".shown");
      if (told.textContent !== status) told.textContent = status;
    }
  }

  const charts = [...document.querySelectorAll("figure.chart")].map((figure) => new Chart(figure));
  const drawn = (chart) => { if (!chart.isDrawn) chart.draw(); };

  // A chart is drawn when it is about to be seen: the page opens at once on a phone too.
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        drawn(charts.find((chart) => chart.figure === entry.target));
        watcher.unobserve(entry.target);
      }
    },
    { rootMargin: "600px" },
  );
  for (const chart of charts) watcher.observe(chart.figure);
  // On paper nothing folds out.
  let folded = [];
  addEventListener("beforeprint", () => {
    charts.forEach(drawn);
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const each of folded) each.open = true;
  });
  addEventListener("afterprint", () => { for (const each of folded) each.open = false; });
  const again = () => charts.filter((chart) => chart.isDrawn).forEach((chart) => chart.draw());
  for (const query of [isDark, isCoarse, isNarrow]) query.addEventListener("change", again);
})();
