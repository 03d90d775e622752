'use strict'

// Reasons why the product cannot log in, and what to do: `[check, code, found, remedy]`.

/** By the code of the server's error: check, code, what was found, remedy. */
const BY_SERVER_CODE = {
  NOAUTH: [
    'login',
    'password-missing',
    'the server asks for a password, and none is set',
    'set REDIS_PASSWORD, or write redis://:password@host',
  ],
  WRONGPASS: [
    'login',
    'password-wrong',
    'the server rejected the password, or has no such user, or the user is off (WRONGPASS)',
    'correct REDIS_USERNAME and REDIS_PASSWORD, or those in the URL; ACL GETUSER shows whether the user exists and is on; %-encode special characters of a URL',
  ],
  DENIED: [
    'login',
    'protected-mode',
    'the server is in protected mode: it refuses connections from other machines',
    'set a password on the server (requirepass, or a user by ACL SETUSER), then bind an address of the network',
  ],
  LOADING: [
    'server',
    'loading',
    'the server is loading its data and serves nothing yet',
    'wait until it has; INFO persistence shows how far it is',
  ],
  BUSY: [
    'server',
    'busy',
    'the server is running a script that takes long, and serves nothing',
    'end it by SCRIPT KILL, and find the client that runs it',
  ],
  MASTERDOWN: [
    'topology',
    'primary-down',
    'the server is a replica that has lost its primary',
    'connect to the primary, or start it',
  ],
  CLUSTERDOWN: [
    'topology',
    'cluster-down',
    'the cluster serves no calls',
    'CLUSTER INFO and redis-cli --cluster check show what is missing',
  ],
  MISCONF: [
    'server',
    'misconf',
    'the server cannot save its data and rejects writes',
    'free the disk or correct its rights; the log of the server says why',
  ],
}

/** By the product's words: those of `crates/redis/src/{login,dial,cluster,sentinel}`. */
const BY_WORDS = [
  [
    /^no sentinel for .*(NOAUTH|WRONGPASS|rejected the user name or password)/,
    'login',
    'sentinel-password',
    'the sentinels ask for a password of their own',
    'give the application the option sentinel: { username, password }; this examination cannot be given it, so name the primary by redis://',
  ],
  [
    /has no password configured for this user/,
    'login',
    'password-unneeded',
    'the settings have a password, but the server has none for this user',
    'remove the password, or set one on the server',
  ],
  [
    /database \d+ cannot be selected/,
    'login',
    'database',
    'the server does not have this database',
    'choose a lower number, or raise "databases" in the configuration of the server; a cluster has only 0',
  ],
  [
    /is not a cluster node/,
    'topology',
    'not-a-cluster',
    'the URL names a cluster, but the server is not in cluster mode',
    'write redis:// in place of redis-cluster://, or set cluster-enabled yes on the server',
  ],
  [
    /knows no slot owners/,
    'topology',
    'cluster-slots',
    'the server is in cluster mode, but no slot has an owner',
    'create the cluster: redis-cli --cluster create, or CLUSTER ADDSLOTSRANGE 0 16383 on a single node',
  ],
  [
    /no sentinel knows a primary named/,
    'topology',
    'primary-unknown',
    'the sentinels do not know a primary of this name',
    'correct the name behind the last slash of the URL; SENTINEL MASTERS lists those that exist',
  ],
  [
    /^no sentinel for .*unknown command/i,
    'topology',
    'not-a-sentinel',
    'the URL names sentinels, but this server is not a sentinel',
    'write redis:// in place of redis-sentinel://, or use the port of a sentinel (26379)',
  ],
  [
    /max number of|too many (connections|clients)/i,
    'clients',
    'too-many-clients',
    'the server accepts no more clients',
    'close unused clients (CLIENT LIST), lower poolSize, or raise maxclients',
  ],
  [
    /not valid Redis protocol/,
    'login',
    'not-redis',
    'what listens there does not speak the protocol of Redis',
    'correct the port: another program is listening there',
  ],
]

/** Codes for what the product says of certificates. */
const CERTIFICATES = [
  [/has expired/, 'certificate-expired'],
  [/for another host name/, 'certificate-name'],
  [/requires a client certificate/, 'certificate-of-client'],
  [/server.s certificate/, 'certificate-untrusted'],
]

module.exports = { BY_SERVER_CODE, BY_WORDS, CERTIFICATES }
