// The names of OpenTelemetry's semantic conventions 1.45 that are used here. The package that has them all would take ten
// megabytes of memory for these.

export const RPC_SERVER_CALL_DURATION = "rpc.server.call.duration";
export const RPC_SYSTEM_NAME = "rpc.system.name";
export const RPC_METHOD = "rpc.method";
export const RPC_STATUS_CODE = "rpc.status_code";
export const ERROR_TYPE = "error.type";
export const DB_CONNECTION_COUNT = "db.client.connection.count";
export const DB_CONNECTION_MAX = "db.client.connection.max";
export const DB_CONNECTION_PENDING_REQUESTS = "db.client.connection.pending_requests";
export const DB_CONNECTION_POOL_NAME = "db.client.connection.pool.name";
export const DB_CONNECTION_STATE = "db.client.connection.state";
