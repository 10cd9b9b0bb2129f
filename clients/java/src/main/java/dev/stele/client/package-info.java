/**
 * The client of Stele, an immutable version registry for machine-learning models.
 *
 * <p>Start with {@link dev.stele.client.SteleClient}. The messages are those of {@code
 * dev.stele.v1}, generated from the service's proto.
 */
package dev.stele.client;
