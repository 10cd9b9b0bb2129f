/**
 * The one table. Its primary key is the only thing that correctness rests on; the triggers refuse changes
 * to everybody, the owner and `session_replication_role = replica` included (ENABLE ALWAYS).
 */
export const modelVersionTable = `
create table model_version (
  model text collate "C" not null,
  precedence bytea not null,
  version text not null,
  record bytea not null,
  digest bytea not null,
  registered_at timestamptz not null,
  registered_by text not null,
  attempt uuid not null,
  request_id uuid,
  constraint model_version_pkey primary key (model, precedence),
  constraint model_version_digest_check check (octet_length(digest) = 32)
);

create unique index model_version_request_id_key on model_version (model, request_id)
  where request_id is not null;

create function model_version_refuse_change() returns trigger
language plpgsql set search_path = '' as $$
begin
  raise exception '% on model_version is refused: a registered version never changes', tg_op
    using errcode = 'restrict_violation', hint = 'Register the next version instead.';
end
$$;

create trigger model_version_refuse_update_delete
  before update or delete on model_version
  for each row execute function model_version_refuse_change();

create trigger model_version_refuse_truncate
  before truncate on model_version
  for each statement execute function model_version_refuse_change();

alter table model_version enable always trigger model_version_refuse_update_delete;
alter table model_version enable always trigger model_version_refuse_truncate;
`;
