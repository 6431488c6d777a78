import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';

/** OpenAPI 3.1 at /openapi.json and a page at /docs; both are open to all, since they tell nothing that the README does not. */
export function serveOpenApi(app: NestFastifyApplication, version: string): void {
  const document = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('rescan')
    .setDescription(
      'Re-runs failed cluster scans within the call budget of the upstream, and knows what became of each.',
    )
    .setVersion(version)
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An API key.' })
    .build();
  SwaggerModule.setup('docs', app, () => withScopes(SwaggerModule.createDocument(app, document)), {
    jsonDocumentUrl: 'openapi.json',
    customSiteTitle: 'rescan',
  });
}

/** In words as well: pages show that a route needs a key, and not which. */
function withScopes(document: OpenAPIObject): OpenAPIObject {
  for (const { get, post, put, patch, delete: remove } of Object.values(document.paths)) {
    for (const operation of [get, post, put, patch, remove]) {
      const scopes = (operation?.security ?? []).flatMap((alternative) => Object.values(alternative).flat());
      if (operation && scopes.length > 0) operation.description = `Needs a key with the scope ${scopes.join(' or ')}.`;
    }
  }
  return document;
}
