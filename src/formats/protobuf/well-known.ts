/** Files that any schema may import without a reference: of google.protobuf, google.type and Confluent. */

const WRAPPED = [
  ['DoubleValue', 'double'],
  ['FloatValue', 'float'],
  ['Int64Value', 'int64'],
  ['UInt64Value', 'uint64'],
  ['Int32Value', 'int32'],
  ['UInt32Value', 'uint32'],
  ['BoolValue', 'bool'],
  ['StringValue', 'string'],
  ['BytesValue', 'bytes'],
] as const;

/** Full names of the wrappers. */
export const WRAPPERS: ReadonlySet<string> = new Set(
  WRAPPED.map(([name]) => `google.protobuf.${name}`),
);

export const WELL_KNOWN: readonly string[] = [
  `syntax = "proto3";
  package google.protobuf;
  message Timestamp { int64 seconds = 1; int32 nanos = 2; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message Any { string type_url = 1; bytes value = 2; }
  message Empty {}
  message FieldMask { repeated string paths = 1; }
  message Struct { map<string, Value> fields = 1; }
  enum NullValue { NULL_VALUE = 0; }
  message Value {
    oneof kind {
      NullValue null_value = 1;
      double number_value = 2;
      string string_value = 3;
      bool bool_value = 4;
      Struct struct_value = 5;
      ListValue list_value = 6;
    }
  }
  message ListValue { repeated Value values = 1; }
  ${WRAPPED.map(([name, type]) => `message ${name} { ${type} value = 1; }`).join('\n')}`,
  `syntax = "proto3";
  package google.type;
  message Date { int32 year = 1; int32 month = 2; int32 day = 3; }
  message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }
  message Decimal { string value = 1; }`,
  `syntax = "proto3";
  package confluent.type;
  message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }`,
];
