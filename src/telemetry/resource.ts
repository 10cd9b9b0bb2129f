import { defaultResource, type Resource, resourceFromAttributes } from "@opentelemetry/resources";

/** What tells. */
export function describeService(version: string): Resource {
  const name = process.env["OTEL_SERVICE_NAME"] || "stele";
  return defaultResource().merge(resourceFromAttributes({ "service.name": name, "service.version": version }));
}
