// Draws openapi.json; nothing is loaded from elsewhere.
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const api = await (await fetch("/openapi.json")).json();
const example = (path, method) =>
  method === "post"
    ? `curl -F files=@photo.jpg -F files=@other.png ${location.origin}${path}`
    : `curl ${location.origin}${path}`;
for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    const answers = make("ul", { className: "answers" });
    for (const [status, answer] of Object.entries(operation.responses)) {
      answers.append(make("li", {}, make("b", { textContent: status }), ` ${answer.description}`));
    }
    document.getElementById("paths").append(
      make("article", { className: "path" }, make("div", {},
        make("h2", { textContent: `${method.toUpperCase()} ${path}` }),
        make("p", { textContent: operation.summary ?? "" }),
        make("pre", { textContent: example(path, method) }),
        answers)),
    );
  }
}
