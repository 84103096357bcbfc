import { applyDecorators, type INestApplication } from '@nestjs/common';
import {
  ApiExtraModels,
  ApiResponse,
  DocumentBuilder,
  getSchemaPath,
  SwaggerModule,
  type OpenAPIObject,
} from '@nestjs/swagger';

type Model = new () => object;

/** Documents an answer `{ data }` of one resource. */
export const ApiAnswer = (status: number, model: Model, description = ''): MethodDecorator =>
  applyDecorators(
    ApiExtraModels(model),
    ApiResponse({
      status,
      description,
      schema: { type: 'object', required: ['data'], properties: { data: { $ref: getSchemaPath(model) } } },
    }),
  );

/** Documents an answer `{ data: [] }` without pages. */
export const ApiList = (model: Model, description = ''): MethodDecorator =>
  applyDecorators(
    ApiExtraModels(model),
    ApiResponse({ status: 200, description, schema: listSchema(model) }),
  );

/** Documents an answer `{ data: [], pagination }`. */
export const ApiPage = (model: Model, description = ''): MethodDecorator => {
  const list = listSchema(model);
  return applyDecorators(
    ApiExtraModels(model),
    ApiResponse({
      status: 200,
      description,
      schema: {
        ...list,
        required: ['data', 'pagination'],
        properties: { ...list.properties, pagination: PAGINATION },
      },
    }),
  );
};

const listSchema = (model: Model) => ({
  type: 'object' as const,
  required: ['data'],
  properties: { data: { type: 'array' as const, items: { $ref: getSchemaPath(model) } } },
});

const PAGINATION = {
  type: 'object' as const,
  required: ['limit', 'nextCursor'],
  properties: {
    limit: { type: 'integer' as const },
    nextCursor: { type: 'string' as const, nullable: true },
  },
};

const ERROR = {
  type: 'object' as const,
  required: ['error'],
  properties: {
    error: {
      type: 'object' as const,
      required: ['code', 'category', 'message', 'correlationId'],
      properties: {
        code: { type: 'string' as const, example: 'NO_AVAILABILITY' },
        category: {
          type: 'string' as const,
          enum: [
            'VALIDATION',
            'AUTHN',
            'AUTHZ',
            'NOT_FOUND',
            'CONFLICT',
            'RATE_LIMIT',
            'INTERNAL',
            'UNAVAILABLE',
          ],
        },
        message: { type: 'string' as const },
        details: {
          description: 'Faults of fields as { path, code, message }, or what the code tells more of.',
        },
        correlationId: { type: 'string' as const, format: 'uuid' },
      },
    },
  },
};

/** The OpenAPI document of an application's routes; takes some 100 ms, so nobody makes it before it is asked for. */
export function buildOpenApi(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Tartware')
    .setDescription(
      'Reservations for hotels: no room sold twice, every accepted request applied exactly once.',
    )
    .setVersion('1')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' })
    .build();
  const document = SwaggerModule.createDocument(app, config, {
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}.${method}`,
  });
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, Error: ERROR },
  };
  for (const path of Object.values(document.paths))
    for (const method of ['get', 'post', 'put', 'patch', 'delete'] as const) {
      const operation = path[method];
      if (operation) operation.responses['default'] = REFUSAL;
    }
  return document;
}

const REFUSAL = {
  description: 'A refusal; nothing was changed.',
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
};
