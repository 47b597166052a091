// The cleaner as it looks: a view of `vivace.vision.cleaning.session`. It holds no state of its own that matters.
// `model` is anywidget's in a notebook, and a small stand-in over HTTP on the page of `vivace clean`.

const KEEP = "<Keep>";
const DELETE = "<Delete>";

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const words = (choice) => (choice === KEEP ? "Keep" : choice === DELETE ? "Delete" : choice);
const kind = (choice) => (choice === KEEP ? "keep" : choice === DELETE ? "delete" : "change");

function menu(label, options, value, choose) {
  const select = make("select", { onchange: () => choose(select.value), "aria-label": label });
  select.append(...options.map((o) => make("option", { value: o, textContent: words(o), selected: o === value })));
  return select;
}

function card(item, state, address, send) {
  const mark = (choice) => send({ do: "mark", key: item.key, choice });
  const picture = address
    ? make("img", { src: address, alt: item.name, loading: "lazy" })
    : make("div", { className: "vv-broken", textContent: "cannot be read" });
  picture.style.height = `${state.height}px`;
  const verdict =
    item.predicted === null || item.predicted === undefined
      ? null
      : make(
          "div",
          { className: "vv-verdict", title: "What the model says, and how wrong it finds the label" },
          make("span", { className: item.predicted === item.label ? "" : "vv-differs", textContent: item.predicted }),
          ` ${Math.round(item.probability * 100)}%`,
          make("span", { className: "vv-loss", textContent: `loss ${item.loss.toFixed(2)}` }),
        );
  const choices = make("div", { className: "vv-choices" });
  for (const choice of [KEEP, DELETE]) {
    const chosen = item.mark === choice;
    choices.append(
      make("button", {
        type: "button",
        className: chosen ? "vv-on" : "",
        "aria-pressed": String(chosen),
        textContent: words(choice),
        "data-choice": kind(choice),
        onclick: () => mark(choice),
      }),
    );
  }
  const classes = state.choices.filter((c) => c !== KEEP && c !== DELETE);
  if (classes.length) {
    const moved = kind(item.mark) === "change";
    const select = make("select", {
      className: moved ? "vv-on" : "",
      "aria-label": `Move ${item.name} to`,
      onchange: () => mark(select.value || KEEP),
    });
    select.append(make("option", { value: "", textContent: "Move to…" }));
    select.append(
      ...classes
        .filter((c) => c !== item.label)
        .map((c) => make("option", { value: c, textContent: c, selected: c === item.mark })),
    );
    choices.append(select);
  }
  const keys = (event) => {
    if (event.target.tagName === "SELECT" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "d" || event.key === "Delete") mark(DELETE);
    else if (event.key === "k") mark(KEEP);
    else if (/^[1-9]$/.test(event.key) && classes[event.key - 1]) mark(classes[event.key - 1]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return make(
    "figure",
    { className: `vv-card vv-${kind(item.mark)}`, tabIndex: 0, "data-key": item.key, onkeydown: keys },
    picture,
    make("figcaption", { title: item.name, textContent: item.name }),
    verdict,
    choices,
  );
}

function bar(state, send) {
  const left = make("div", { className: "vv-menus" });
  if (state.categories.length)
    left.append(menu("Category", state.categories, state.category, (category) => send({ do: "select", category })));
  if (state.groups.length > 1)
    left.append(menu("Data set", state.groups, state.group, (group) => send({ do: "select", group })));
  left.append(
    make("span", { className: "vv-count", textContent: `${state.n_chosen} picture${state.n_chosen === 1 ? "" : "s"}` }),
  );
  const turn = (label, text, page) =>
    make("button", {
      type: "button",
      "aria-label": label,
      textContent: text,
      disabled: page < 0 || page >= state.n_pages,
      onclick: () => send({ do: "select", page }),
    });
  const pages =
    state.n_pages > 1
      ? make(
          "div",
          { className: "vv-pages" },
          turn("Page before", "‹", state.page - 1),
          `page ${state.page + 1} of ${state.n_pages}`,
          turn("Next page", "›", state.page + 1),
        )
      : null;
  const elsewhere = state.n_elsewhere ? `, ${state.n_elsewhere} of them not in this list` : "";
  const total = `${state.n_delete} to delete, ${state.n_change} to move${elsewhere}`;
  const right = make(
    "div",
    { className: "vv-right" },
    make("span", { className: "vv-total", role: "status", textContent: total }),
    make("button", {
      type: "button",
      className: "vv-undo",
      textContent: "Undo",
      title: "Take the latest mark back",
      disabled: !state.can_undo,
      onclick: () => send({ do: "undo" }),
    }),
  );
  return make("div", { className: "vv-bar" }, left, pages, right);
}

function render({ model, el }) {
  el.classList.add("vv-cleaner");
  const send = (command) => model.send(command);
  const draw = () => {
    const state = model.get("state");
    if (!state || !state.items) return;
    const addresses = model.get("thumbnails") || {};
    const focused = el.querySelector(".vv-card:focus-within")?.dataset.key;
    const scrolled = el.querySelector(".vv-cards")?.scrollTop ?? 0;
    const cards = make("div", { className: "vv-cards" });
    cards.append(...state.items.map((item) => card(item, state, addresses[item.key] ?? item.thumbnail, send)));
    if (!state.items.length) cards.append(make("p", { className: "vv-empty", textContent: "No pictures here." }));
    el.replaceChildren(
      bar(state, send),
      make("p", { className: "vv-message", role: "status", textContent: state.message }),
      cards,
    );
    cards.scrollTop = scrolled;
    if (focused !== undefined) el.querySelector(`.vv-card[data-key="${focused}"]`)?.focus({ preventScroll: true });
  };
  model.on("change:state", draw);
  model.on("change:thumbnails", draw);
  draw();
}

export { render };
export default { render };
