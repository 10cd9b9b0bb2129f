// Two roles stand behind the immutability: the owner of the tables, which nobody can log in as, and the service's,
// which may INSERT and SELECT and nothing else. Roles belong to the whole cluster, so their names are settings. All of
// this works for an administrator who is no superuser but has CREATEROLE and owns the database.

import { sql, type Transaction } from "kysely";
import type { Database } from "./database.ts";
import type { Tables } from "./schema.ts";

/** The names of the roles. */
export interface Roles {
  readonly owner: string;
  readonly service: string;
}

/** Makes the roles where they are missing, and becomes the owner for the rest of the transaction. */
export async function becomeOwner(transaction: Transaction<Tables>, { owner, service }: Roles): Promise<void> {
  await createRole(transaction, owner, "nologin");
  await createRole(transaction, service, "login");
  if (!(await mayBecome(transaction, owner))) {
    await sql`grant ${sql.id(owner)} to current_user`.execute(transaction);
  }
  await grantSchema(transaction, owner, "create");
  await grantSchema(transaction, owner, "usage");
  await grantSchema(transaction, service, "usage");
  await sql`set local role ${sql.id(owner)}`.execute(transaction);
}

/** Gives the service's role what it needs, as the owner of the tables. */
export async function grantToService(transaction: Transaction<Tables>, { service }: Roles): Promise<void> {
  await sql`grant select, insert on model_version to ${sql.id(service)}`.execute(transaction);
  await sql`grant select on stele_migration to ${sql.id(service)}`.execute(transaction);
}

/** What the connected user may do that the service has no use for, in words; empty when it is as it should be. */
export async function findExcessRights(database: Database): Promise<string[]> {
  const { rows } = await sql<{ right: string }>`
    select "right" from (values
      (1, 'is a superuser', (select rolsuper from pg_roles where rolname = current_user)),
      (2, 'may become the owner of model_version',
        pg_has_role(current_user, (select relowner from pg_class where oid = 'model_version'::regclass), 'MEMBER')),
      (3, 'may UPDATE model_version', has_table_privilege('model_version', 'UPDATE')),
      (4, 'may DELETE from model_version', has_table_privilege('model_version', 'DELETE')),
      (5, 'may TRUNCATE model_version', has_table_privilege('model_version', 'TRUNCATE'))
    ) as rights (place, "right", is_held) where is_held order by place`.execute(database);
  return rows.map(({ right }) => right);
}

// Another database of the cluster may be migrated at the same moment, under another lock.
async function createRole(transaction: Transaction<Tables>, name: string, login: "login" | "nologin"): Promise<void> {
  const found = await sql`select from pg_roles where rolname = ${name}`.execute(transaction);
  if (found.rows.length > 0) return;
  const command = `create role ${quoteIdentifier(name)} ${login}`;
  await sql`do ${sql.lit(`begin ${command}; exception when duplicate_object or unique_violation then null; end`)}`.execute(
    transaction,
  );
}

// Since Postgres 16 whoever creates a role is a member of it, but may not become it before a grant says so.
async function mayBecome(transaction: Transaction<Tables>, role: string): Promise<boolean> {
  const { rows } = await sql<{ may: boolean }>`
    select pg_has_role(current_user, ${role}::name,
      case when current_setting('server_version_num')::integer >= 160000 then 'SET' else 'MEMBER' end) as may
  `.execute(transaction);
  return rows[0]?.may === true;
}

async function grantSchema(transaction: Transaction<Tables>, role: string, privilege: "create" | "usage") {
  const { rows } = await sql<{ schema: string; has: boolean }>`
    select current_schema() as schema, has_schema_privilege(${role}::name, current_schema(), ${privilege}) as has
  `.execute(transaction);
  const [row] = rows;
  if (row === undefined || row.has) return;
  await sql`grant ${sql.raw(privilege)} on schema ${sql.id(row.schema)} to ${sql.id(role)}`.execute(transaction);
}

function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
