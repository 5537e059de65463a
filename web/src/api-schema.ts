/** Calls about names: events and properties as they were seen, their values, and what people say about them. */
import { at, body, client, type Answer } from "./api";
import type { components, operations } from "./api.gen";

type Schemas = components["schemas"];
export type SchemaEvent = Schemas["SchemaEvent"];
export type SchemaEvents = Schemas["SchemaEvents"];
export type SchemaEventDetail = Schemas["SchemaEventDetail"];
export type SchemaProperty = Schemas["SchemaProperty"];
export type SchemaProperties = Schemas["SchemaProperties"];
export type SchemaValues = Schemas["SchemaValues"];
export type Sample = Schemas["SchemaSample"];
export type Mark = Schemas["Mark"];
type EventsQuery = NonNullable<operations["schema_events"]["parameters"]["query"]>;
type PropertiesQuery = NonNullable<operations["schema_properties"]["parameters"]["query"]>;
export type PropertyKind = NonNullable<PropertiesQuery["kind"]>;
export type EventOrder = NonNullable<EventsQuery["order"]>;
export type PropertyOrder = NonNullable<PropertiesQuery["order"]>;
type ValuesQuery = NonNullable<operations["schema_values"]["parameters"]["query"]>;

/** What is not said is not asked. */
const said = <T extends object>(query: T): T =>
  Object.fromEntries(Object.entries(query).filter(([, value]) => value !== "" && value !== undefined && value !== false)) as T;

export const schemaEvents = (project: string, query: EventsQuery, signal: AbortSignal): Promise<Answer<SchemaEvents>> =>
  body(client.GET("/v1/projects/{id}/schema/events", { params: { ...at(project), query: said(query) }, signal }));

export const schemaEvent = (project: string, name: string, signal: AbortSignal): Promise<Answer<SchemaEventDetail>> =>
  body(client.GET("/v1/projects/{id}/schema/events/{name}", { params: { path: { id: project, name } }, signal }));

export const schemaProperties = (project: string, query: PropertiesQuery, signal: AbortSignal): Promise<Answer<SchemaProperties>> =>
  body(client.GET("/v1/projects/{id}/schema/properties", { params: { ...at(project), query: said(query) }, signal }));

export const schemaValues = (project: string, name: string, query: ValuesQuery, signal: AbortSignal): Promise<Answer<SchemaValues>> =>
  body(
    client.GET("/v1/projects/{id}/schema/properties/{name}/values", {
      params: { path: { id: project, name }, query: said(query) },
      signal,
    }),
  );

export const markEvent = (project: string, name: string, change: Partial<Mark>): Promise<Mark> =>
  body(client.PATCH("/v1/projects/{id}/schema/events/{name}", { params: { path: { id: project, name } }, body: change }));

export const markProperty = (project: string, name: string, kind: PropertyKind, change: Partial<Mark>): Promise<Mark> =>
  body(
    client.PATCH("/v1/projects/{id}/schema/properties/{name}", {
      params: { path: { id: project, name }, query: { kind } },
      body: change,
    }),
  );
