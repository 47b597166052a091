// Sends photos to /predict, one request each, and draws what comes back.
const find = (id) => document.getElementById(id);
const MAX_BARS = 8;

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function bar(name, probability) {
  const percent = `${(100 * probability).toFixed(1)}%`;
  const fill = make("div", { className: "fill" });
  fill.style.width = percent;
  return make(
    "li",
    {},
    make("span", { className: "name", textContent: name }),
    make("div", { className: "track" }, fill),
    make("span", { className: "percent", textContent: percent }),
  );
}

function show(card, prediction) {
  const text = card.querySelector(".said");
  text.className = "said";
  if (prediction.values.length) {
    text.textContent = prediction.values.map((v) => Number(v.toPrecision(5))).join(", ");
    return;
  }
  text.textContent = prediction.labels.join(", ") || "none of the classes";
  const all = Object.entries(prediction.probabilities).sort((a, b) => b[1] - a[1]);
  const bars = make("ul", { className: "bars" });
  bars.append(...all.slice(0, MAX_BARS).map(([name, probability]) => bar(name, probability)));
  if (all.length > MAX_BARS) bars.append(make("li", { className: "more", textContent: `and ${all.length - MAX_BARS} more` }));
  text.after(bars);
}

async function predict(file) {
  const picture = make("img", { alt: file.name, src: URL.createObjectURL(file) });
  const said = make("p", { className: "said waiting", textContent: "…" });
  const card = make("article", {}, picture, make("div", {}, make("h2", { textContent: file.name }), said));
  picture.addEventListener("error", () => picture.remove());
  find("results").prepend(card);
  const form = new FormData();
  form.append("files", file, file.name);
  try {
    const answer = await fetch("/predict", { method: "POST", body: form });
    const content = await answer.json();
    if (!answer.ok) throw new Error(content.detail);
    show(card, content.predictions[0]);
  } catch (error) {
    said.className = "said error";
    said.textContent = error instanceof TypeError ? "The server does not answer." : error.message;
  }
}

const take = (files) => [...files].forEach(predict);
const drop = find("drop");
find("file").addEventListener("change", (event) => { take(event.target.files); event.target.value = ""; });
drop.addEventListener("keydown", (event) => (event.key === "Enter" || event.key === " ") && find("file").click());
addEventListener("paste", (event) => take(event.clipboardData.files));
addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
addEventListener("dragleave", () => drop.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  take(event.dataTransfer.files);
});

const model = await (await fetch("/model")).json();
const labels = model.labels.length > 12 ? `${model.labels.slice(0, 12).join(", ")}, …` : model.labels.join(", ");
const metrics = Object.entries(model.metrics).filter(([name]) => !name.endsWith("_loss")).map(([name, value]) => `${name} ${value.toFixed(3)}`);
find("model").textContent = [labels && `${model.labels.length} classes: ${labels}`, ...metrics].filter(Boolean).join(" · ");
