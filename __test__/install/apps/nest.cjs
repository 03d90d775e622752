require('reflect-metadata')
const { Controller, Module, Post } = require('@nestjs/common')
const { APP_GUARD, NestFactory } = require('@nestjs/core')
const { ThrottlerGuard, ThrottlerModule } = require('@nestjs/throttler')
const { CinnabarThrottlerStorage } = require('cinnabar/nestjs-throttler')

// What a compiler writes for decorators.
class Login {
  login() {
    return 'welcome'
  }
}
Controller('login')(Login)
Post()(Login.prototype, 'login', Object.getOwnPropertyDescriptor(Login.prototype, 'login'))

class App {}
const throttler = ThrottlerModule.forRoot({
  throttlers: [{ limit: 2, ttl: 60_000 }],
  storage: new CinnabarThrottlerStorage(),
})
Module({
  imports: [throttler],
  controllers: [Login],
  providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
})(App)

NestFactory.create(App, { logger: ['error'] }).then(async (app) => {
  await app.listen(0, '127.0.0.1')
  console.log(app.getHttpServer().address().port)
})
