/** What an extractor is, takes and makes, as `wit/description.schema.json` defines it. */

import { MEASURED } from "./definition.js";
import { schemaOf } from "./parameters.js";

/** The contract this package was written for. */
const API_VERSION = "0.1.0";
/** Memory an extractor is expected to need when it says nothing else: the engine and its tiles. */
const MEMORY_BYTES_DEFAULT = 32 << 20;
const DIMENSION_MAX = 65_536;

/** The outputs that are there under these parameters, each with its dimension as a number. */
export function outputsUnder(definition, parameters) {
  const outputs = [];
  for (const [name, field] of Object.entries(definition.outputs)) {
    if (field.omit?.(parameters)) continue;
    outputs.push(output(name, field, parameters));
  }
  const position = definition.position;
  if (position !== null && !outputs.some((each) => each.name === position)) {
    throw new TypeError(`position \`${position}\` is omitted from the outputs`);
  }
  return outputs;
}

function output(name, field, parameters) {
  const { type, distance, description = "" } = field;
  if (!MEASURED.includes(type)) {
    return { name, type, optional: field.optional ?? false, description };
  }
  const given = field.dimension;
  const dimension = typeof given === "function" ? given(parameters) : given;
  if (!Number.isInteger(dimension) || dimension < 1 || dimension > DIMENSION_MAX) {
    const allowed = `1 to ${DIMENSION_MAX} are allowed`;
    throw new RangeError(`output \`${name}\` has the dimension ${dimension}, ${allowed}`);
  }
  return { name, type, dimension, distance, description };
}

/** The contract's JSON. */
export function describe(definition, outputs, queries) {
  const inputs = Object.entries(definition.inputs).map(([name, field]) => ({
    name,
    type: field.type,
    required: !field.optional,
    description: field.description ?? "",
  }));
  return {
    api: API_VERSION,
    name: definition.name,
    version: definition.version,
    summary: definition.summary,
    inputs,
    outputs: outputs.map(({ optional: _, ...field }) => field),
    position: definition.position,
    parameters: schemaOf(definition.parameters),
    capabilities: definition.capabilities,
    deterministic: !definition.varies,
    memory_bytes: definition.memoryBytes ?? MEMORY_BYTES_DEFAULT,
    queries,
  };
}
