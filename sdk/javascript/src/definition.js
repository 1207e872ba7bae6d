/** What an author hands over, checked: mistakes come out when the module is loaded. */

const NAME = /^[a-z][a-z0-9_]{0,63}$/;
const INPUTS = ["utf8", "json", "i64", "f64", "bool", "blob", "dense"];
const OUTPUTS = [...INPUTS, "sparse", "multi"];
const DISTANCES = ["cosine", "dot", "euclid", "manhattan"];
const VECTORS = ["dense", "sparse", "multi"];

/** Types whose outputs have a dimension and a distance. */
export const MEASURED = ["dense", "multi"];

export class Definition {
  constructor(given) {
    // Out of extractor.toml: set when the component is built.
    this.name = "unnamed";
    this.version = "0.0.0";
    this.summary = given.summary ?? "";
    this.parameters = given.parameters ?? {};
    this.inputs = given.inputs ?? {};
    this.outputs = given.outputs ?? {};
    this.position = given.position ?? null;
    this.capabilities = given.capabilities ?? [];
    this.varies = given.varies ?? false;
    this.memoryBytes = given.memoryBytes;
    this.create = given.create;
    check(this);
  }
}

export function extractor(given) {
  return new Definition(given);
}

function check(definition) {
  if (typeof definition.create !== "function") {
    throw new TypeError("`create` is missing: create(parameters) returns { extract, embedQuery }");
  }
  for (const [name, field] of Object.entries(definition.inputs)) {
    checkField(`inputs.${name}`, name, field, INPUTS);
    if (field.type === "blob" && field.optional) wrong(`inputs.${name}`, "a blob can not be optional");
  }
  for (const [name, field] of Object.entries(definition.outputs)) {
    checkField(`outputs.${name}`, name, field, OUTPUTS);
    checkVector(`outputs.${name}`, field);
  }
  for (const [name, schema] of Object.entries(definition.parameters)) {
    if (schema.default === undefined) wrong(`parameters.${name}`, "a parameter needs a `default`");
  }
  const position = definition.position;
  if (position !== null && definition.outputs[position]?.type !== "i64") {
    throw new TypeError(`position \`${position}\` is not an i64 output`);
  }
}

function checkField(where, name, field, types) {
  if (!NAME.test(name)) {
    wrong(where, "a name has at most 64 lower-case letters, digits and `_`, a letter first");
  }
  if (!types.includes(field.type)) {
    wrong(where, `\`type\` is ${JSON.stringify(field.type)}, not one of ${types.join(", ")}`);
  }
}

function checkVector(where, field) {
  if (VECTORS.includes(field.type) && field.optional) {
    wrong(where, "a vector can not be optional; an absent sparse vector has no entries");
  }
  if (!MEASURED.includes(field.type)) return;
  if (!["number", "function"].includes(typeof field.dimension)) {
    wrong(where, "has no `dimension`: a number, or a function of the parameters");
  }
  if (!DISTANCES.includes(field.distance)) {
    wrong(where, `\`distance\` must be one of ${DISTANCES.join(", ")}`);
  }
}

function wrong(where, why) {
  throw new TypeError(`${where}: ${why}`);
}
