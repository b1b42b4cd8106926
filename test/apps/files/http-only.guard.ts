import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';

interface HttpRequest {
  readonly headers: Record<string, string | undefined>;
}

/** A guard of the whole application that knows HTTP alone, as many do. */
@Injectable()
export class HttpOnlyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request: HttpRequest = context.switchToHttp().getRequest();
    return request.headers['x-blocked'] === undefined;
  }
}
