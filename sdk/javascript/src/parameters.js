/** Parameters: JSON Schema out, values with defaults in. */

/** The JSON Schema of the parameters. */
export function schemaOf(properties) {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    properties,
    additionalProperties: false,
  };
}

/**
 * Values with their defaults. The host has checked them against the schema before; this finds the
 * same mistakes in tests, for the keywords that are used most, and names the parameter.
 */
export function parse(properties, given) {
  if (!isObject(given)) throw new ParameterError("the parameters are not a JSON object");
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(properties, name)) {
      const known = Object.keys(properties).join(", ") || "there are none";
      throw new ParameterError(`parameter \`${name}\`: unknown (known: ${known})`);
    }
  }
  const values = {};
  for (const [name, schema] of Object.entries(properties)) {
    values[name] = Object.hasOwn(given, name) ? given[name] : structuredClone(schema.default);
    checkValue(schema, values[name], name);
  }
  return values;
}

export class ParameterError extends Error {
  constructor(message) {
    super(message);
    this.name = "ParameterError";
  }
}

const CHECKS = {
  null: (value) => value === null,
  boolean: (value) => typeof value === "boolean",
  integer: (value) => Number.isInteger(value),
  number: (value) => typeof value === "number",
  string: (value) => typeof value === "string",
  array: Array.isArray,
  object: isObject,
};

function checkValue(schema, value, where) {
  const refuse = (why) => {
    throw new ParameterError(`parameter \`${where}\`: ${JSON.stringify(value)} ${why}`);
  };
  const types = [schema.type ?? []].flat();
  if (types.length > 0 && !types.some((type) => CHECKS[type]?.(value))) {
    refuse(`is not of type ${types.join(" or ")}`);
  }
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    refuse(`is not one of ${schema.enum.map((each) => JSON.stringify(each)).join(", ")}`);
  }
  if (typeof value === "number") {
    bounds(value, schema.minimum, schema.maximum, "", refuse);
  } else if (typeof value === "string") {
    bounds([...value].length, schema.minLength, schema.maxLength, " characters", refuse);
    if (schema.pattern !== undefined && !new RegExp(schema.pattern, "u").test(value)) {
      refuse(`does not match ${schema.pattern}`);
    }
  } else if (Array.isArray(value)) {
    bounds(value.length, schema.minItems, schema.maxItems, " items", refuse);
    for (const [at, item] of value.entries()) {
      if (isObject(schema.items)) checkValue(schema.items, item, `${where}/${at}`);
    }
  } else if (isObject(value)) {
    for (const [name, inner] of Object.entries(schema.properties ?? {})) {
      if (Object.hasOwn(value, name)) checkValue(inner, value[name], `${where}/${name}`);
    }
  }
}

function bounds(size, minimum, maximum, unit, refuse) {
  if (minimum !== undefined && size < minimum) refuse(`is under ${minimum}${unit}`);
  if (maximum !== undefined && size > maximum) refuse(`is over ${maximum}${unit}`);
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
