/**
 * The releases of a model in their order, without the prereleases between them, however many there are. A version is a
 * release where it has no hyphen before its build metadata (SemVer 2.0.0, clauses 9 and 10).
 */
export const releaseIndex = `
create index model_version_release_idx on model_version (model, precedence)
  where split_part(version, '+', 1) not like '%-%';
`;
