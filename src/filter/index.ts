/**
 * WinDivert's filter language: compile, format and evaluate. Needs nothing of Node.
 *
 * @module
 */

export { DivertError, FilterError, type FilterErrorCode } from '../errors.ts';
export { type AddressInit, LAYERS, type Layer } from '../packet/address.ts';
export { type CompileOptions, compileFilter, formatFilter } from './compile.ts';
export type { Dialect } from './dialect.ts';
export { evaluateFilter } from './evaluate.ts';
export { FilterSet, type FilterSetEntry } from './extended/filter-set.ts';
export type { FilterSets } from './extended/parser.ts';
export type { ValueRange } from './extended/range-set.ts';
export type { TestSet } from './extended/test-set.ts';
export {
  FIELD,
  FIELDS,
  type Field,
  type FieldFormat,
  type FieldHeader,
  type FieldName,
} from './fields.ts';
export { Filter } from './filter.ts';
export { type FilterTest, type Label, OPERATORS, type Operator } from './graph.ts';
export type { FilterWarning, FilterWarningCode } from './warning.ts';
