"""What log lines say when something is wrong.

The wordings are those of common runtimes, databases, proxies and of Kubernetes itself. Signals:
configuration, images and commands, credentials, resources, and the services that are called.
"""

from tasks.diagnose.signals.pattern import Pattern

_CONFIGURATION = (
    Pattern(
        signal="log.config_invalid",
        yields_to=("log.env_missing", "log.object_missing", "log.tls_expired"),
        says=r"""
        (?:invalid|illegal|malformed|bad|unparsable|unsupported) (?:\w+ )?value.{0,40}?\b(?:for
        +|of|in) (?:the )?(?:env(?:ironment)? )?(?:key|env(?:ironment)?|variable|option|setting
        +|property|field|parameter|flag)?:? ?@quote(?:@variable|@key)\b
        @quote\b@variable@quote:? (?:\w+ ){0,3}?(?:invalid|malformed|not (?:a )?valid|(?:cannot
        +|could not) be parsed)
        (?:invalid|malformed|bad|illegal|unparsable|unrecogni[sz]ed)
        + (?:\w+ ){0,2}?@quote\b@variable\b
        (?:cannot|can't|could not|failed to|unable to|error) pars(?:e|ing)
        + (?:\w+ ){0,2}?@quote\b@variable\b
        (?:invalid|malformed|bad|broken|illegal) (?:config(?:uration)?|settings?|dsn
        +|connection string)\b
        (?:invalid|malformed|bad|broken|illegal) (?:database|connection|jdbc|redis|amqp) (?:url
        +|uri|string)\b
        (?:could not|cannot|can't|failed to|unable to|error) (?:pars|load|read|decod|validat)(?:e
        +|ing)? (?:the )?(?:\w+ )?(?:config|settings|dsn|url|connection string)
        config(?:uration)?(?: file)? (?:error|is invalid|invalid|validation (?:error|failed))
        unknown (?:config(?:uration)? )?(?:directive|option|setting|flag|property):? @quote@key
        invalid(?: value for)? (?:flag|argument):? (?P<key>-{1,2}[\w-]+)
        ImproperlyConfigured|InvalidConfigurationException|ConfigurationError|ConfigException
        (?:unsupported|missing|no) (?:protocol )?scheme\b|claims to not accept jdbcUrl
        yaml: (?:line \d+|unmarshal errors)|did not find expected (?:key|node content)
        """,
    ),
    Pattern(
        signal="log.env_missing",
        says=r"""
        (?:missing|undefined|unset|undeclared)(?: required)?(?: \w+){0,3}:? @quote\b@variable\b
        required (?:env(?:ironment)? ?)?(?:var(?:iable)?|setting
        +|configuration)?:? ?@quote\b@variable\b
        \b@variable@quote (?:env(?:ironment)? ?var(?:iable)? )?(?:is|was|has) (?:not (?:been )?
        +(?:set|defined|found|provided|specified)|undefined|unset|missing|empty|required)\b
        \b@variable@quote (?:env(?:ironment)? ?var(?:iable)? )?(?:must be set|not (?:set|defined
        +|found|provided)|undefined|unset|missing)\b
        KeyError: ['\"](?P<variable>(?-i:[A-Z][A-Z0-9_]{2,}))['\"]
        could not resolve placeholder ['\"]@key['\"]
        (?:missing|required) (?:config(?:uration)?|setting|property|key)(?: key
        +| value)?:? @quote@key
        """,
    ),
    Pattern(
        signal="log.object_missing",
        says=r"""
        (?P<object>(?:secret|configmap) ['\"]?[\w./-]+['\"]?) not found
        couldn't find key (?P<object>[\w.-]+ in (?:secret|configmap) [\w./-]+)
        (?:open|load|read|find|stat|config\w*)\b.{0,40}?@file\b.{0,40}(?:no such file|not found
        +|does not exist)
        no such file or directory:? ['\"]?@file\b
        """,
    ),
    Pattern(
        signal="log.command_not_found",
        says=r"""
        exec: ['\"]?@path['\"]?: (?:executable file not found|stat|permission|no such file)
        sh: (?:(?:line )?\d+: )?@path: (?:command )?not found
        executable file not found|command not found|exec format error|cannot execute binary
        \b(?:ba|da|z)?sh:.{0,40}(?:syntax error|unexpected)|OCI runtime create failed
        can't open file ['\"]?@path
        Cannot find module ['\"](?P<object>/[\w./-]+)
        Unable to access jarfile @path|Could not find or load main class
        """,
    ),
    Pattern(
        signal="log.port_in_use",
        says=r"address already in use|EADDRINUSE|port (?:\d+ )?(?:is )?already (?:allocated|used)",
    ),
    Pattern(
        signal="log.image_pull",
        says=r"""
        failed to pull image ['\"]?@image
        manifest for @image not found
        ErrImagePull|ImagePullBackOff|manifest unknown|pull access denied
        """,
    ),
    Pattern(
        signal="log.schema_mismatch",
        says=r"""
        (?P<object>(?:column|relation|table|type) ['\"]?[\w.]+['\"]?)(?: of \S+ \S+)? does(?: not
        +|n't) exist
        (?P<object>unknown column ['\"]?[\w.]+|no such (?:table|column):? ['\"]?[\w.]+)
        (?:unapplied|missing|failed) (?:\w+ )?migrations?\b|migrations? (?:are|is) pending
        PendingMigration|schema (?:version )?mismatch
        (?:incompatible|unsupported|mismatched) (?:\w+ ){0,2}version|version mismatch
        NoSuchMethodError|NoClassDefFoundError|ModuleNotFoundError|ImportError
        (?:unrecognized|unknown) field|(?:could not|cannot) deserialize
        """,
    ),
)  # fmt: skip

_CREDENTIALS = (
    Pattern(
        signal="log.tls_expired",
        names_host=True,
        says=r"""
        certificates? (?:\w+ ){0,3}?expired|certificate has expired or is not yet valid
        expired (?:\w+ ){0,2}certificate|certificate.{0,40}no longer valid
        CertificateExpired|ExpiredCert|SSL_ERROR_EXPIRED_CERT|notAfter.{0,60}(?:passed|before)
        """,
    ),
    Pattern(
        signal="log.tls_invalid",
        names_host=True,
        yields_to=("log.tls_expired",),
        says=r"""
        certificate signed by unknown authority|self[- ]signed certificate|unknown ca\b
        PKIX path building failed|SSLHandshakeException|CERTIFICATE_VERIFY_FAILED
        tls: (?:bad certificate|handshake failure|failed to verify)|certificate verify failed
        certificate is (?:valid for .{1,200}, not|not valid for)|hostname .{0,80}doesn't match
        """,
    ),
    Pattern(
        signal="log.auth_signature",
        names_host=True,
        about_host=True,
        yields_to=("log.tls_expired", "log.tls_invalid"),
        says=r"""
        (?:invalid|bad|wrong|mismatch\w*|unverifiable) (?:\w+ ){0,2}signature
        signature (?:\w+ ){0,3}?(?:invalid|mismatch\w*|fail\w*|not match|not verif\w+)
        (?:jwt|jws|token)\b.{0,60}\b(?:verif|validat|decod)\w+ (?:\w+ ){0,2}?fail
        (?:fail|error|unable|could not|cannot)\w*.{0,30}(?:verif|validat|decod)\w*.{0,30}\b(?:jwt
        +|jws|token|signature)
        (?:unknown|unrecogni[sz]ed|no matching) (?:signing )?(?:key id|kid)\b
        \bkid\b.{0,40}(?:not found|unknown|mismatch)
        (?:signing|verification|public|private|secret) key.{0,40}(?:mismatch|not found|unknown
        +|invalid|does not match|not loaded)
        (?:invalid|wrong|unknown|missing) (?:jwt |token )?(?:signing|verification) key
        unable to find a signing key|JsonWebTokenError|SignatureDoesNotMatch
        SignatureVerificationException|InvalidSignature(?:Error|Exception)
        """,
    ),
    Pattern(
        signal="log.auth_failed",
        names_host=True,
        about_host=True,
        yields_to=("log.auth_signature",),
        says=r"""
        password authentication failed for user ['\"]?@user
        access denied for user ['\"]?@user
        (?:invalid|wrong|bad|incorrect|expired|revoked) (?:credentials?|username or password
        +|password|api[ _-]?key|access key)
        NOAUTH|WRONGPASS|InvalidAccessKeyId|InvalidClientTokenId|authentication failed
        @status401\b|\b401 unauthorized
        """,
    ),
    Pattern(
        signal="log.permission_denied",
        yields_to=(
            "log.auth_signature", "log.auth_failed", "log.command_not_found", "log.image_pull",
            "log.quota",
        ),
        says=r"""
        user ['\"]?@user['\"]? cannot \w+ resource ['\"]?@name
        permission denied.{0,20}? for (?:table|relation|schema|database) @name
        is not authorized to perform:? (?P<object>[\w:*-]+)
        permission denied|PERMISSION_DENIED|AccessDenied|EACCES|EPERM|operation not permitted
        is forbidden:|insufficient (?:permissions?|privileges?)|read-only file system
        @status403\b|\b403 forbidden
        """,
    ),
)  # fmt: skip

_RESOURCES = (
    Pattern(
        signal="log.oom",
        says=r"""
        (?<!On)OutOfMemory|out of memory|OOM[- ]?kill(?:ed|ing)|oom_reaper|killed process \d+
        invoked oom-killer
        cannot allocate memory|(?<!OutOf)MemoryError|ENOMEM|GC overhead limit exceeded
        """,
    ),
    Pattern(
        signal="log.gc_pressure",
        says=r"""
        (?:full gc|stop[- ]the[- ]world|gc pause|pause full)\b.{0,80}?\b(?:[1-9]\d{3,}(?:\.\d+)? ?ms
        +|[1-9]\d*(?:\.\d+)? ?s(?:ec\w*)?\b)
        GC \S+ is taking .{0,40}of the time|mark-sweep .{0,80}allocation failure
        """,
    ),
    Pattern(
        signal="log.split_brain",
        says=r"""
        partitions_detected|network[- ]partition(?:s)? (?:was |were )?detected|split[- ]brain
        running_partitioned_network|lost quorum|no quorum\b|quorum (?:was |is )?lost
        """,
    ),
    Pattern(
        signal="log.disk_full",
        says=r"""
        no space left on device|ENOSPC|disk (?:is )?full|disk quota exceeded|EDQUOT
        could not extend file|no usable temporary directory|flood[- ]stage disk watermark
        """,
    ),
    Pattern(signal="log.too_many_files", says=r"too many open files|EMFILE|ENFILE"),
    Pattern(
        signal="log.ports_exhausted",
        says=r"cannot assign requested address|EADDRNOTAVAIL|nf_conntrack: table full",
    ),
    Pattern(
        signal="log.pool_exhausted",
        names_host=True,
        yields_to=("log.connection_refused", "log.dns_failure"),
        says=r"""
        pool (?:\w+ ){0,3}?(?:exhausted|depleted|full|limit (?:\w+ )?(?:reached|exceeded))
        (?:exhausted|no (?:free|available|idle)|ran out of)
        + (?:\w+ ){0,3}?connections?\b.{0,40}(?:pool|in use|busy|available)
        all (?:\w+ ){0,3}?connections? (?:\w+ ){0,3}?(?:are )?(?:in use|busy)
        QueuePool limit|HikariPool\S* - Connection is not available|pool error Timeout
        timeout exceeded when trying to connect|unable to acquire (?:\w+ )?connection
        too many (?:clients|connections)|remaining connection slots are reserved
        max(?:imum)?(?: number of)?[ _](?:client )?connections? (?:reached|exceeded)
        connection limit exceeded|connection pool timeout|PoolTimeout
        waiting (?:\w+ ){0,4}from (?:the )?(?:connection )?pool
        """,
    ),
    Pattern(
        signal="log.rate_limited",
        names_host=True,
        says=r"""
        too many requests|@status429\b|ThrottlingException|RequestLimitExceeded
        rate[- ]?limit(?:ed|ing)?(?: has been| was)? (?:exceeded|reached|hit|error)|rate limited
        (?:request|call)s? (?:was|were|being|is|are) throttled|\bSlowDown\b
        """,
    ),
    Pattern(
        signal="log.quota",
        says=r"""
        exceeded quota:? ['\"]?@name
        quota (?:has been |was |limit )?(?:exceeded|reached|exhausted)|QuotaExceeded
        insufficient[_ ]quota|LimitExceededException|exceeds? (?:the |your )?quota
        (?:maximum|minimum) (?:cpu|memory) usage per (?:container|pod)
        """,
    ),
    Pattern(
        signal="log.deadlock",
        says=r"deadlock (?:detected|found)|ORA-00060|LockAcquisitionException",
    ),
    Pattern(
        signal="log.lock_timeout",
        says=r"""
        lock (?:\w+ )?timeout (?:exceeded|expired|reached)|due to lock timeout
        could not (?:obtain|acquire) (?:\w+ )?lock|still waiting for (?:\w+ )?\w*lock
        database is locked|could not serialize access
        """,
    ),
)  # fmt: skip

_CALLED = (
    Pattern(
        signal="log.dns_failure",
        names_host=True,
        says=r"""
        lookup @quote@host.{0,60}(?:no such host|server misbehaving|i/o timeout)
        (?:ENOTFOUND|EAI_AGAIN|UnknownHostException:?) @quote@host
        (?:could not|cannot|can't|failed to|unable to) resolve (?:the )?host(?:name)?:? @quote@host
        resolve @quote@host@quote.{0,30}(?:no address|name or service|errno|temporary failure)
        no such host|NXDOMAIN|name or service not known|name does not resolve
        failure in name resolution|no address associated with hostname|nodename nor servname
        getaddrinfo\b.{0,20}\b(?:fail\w*|error)|NameResolutionError|host not found in upstream
        """,
    ),
    Pattern(
        signal="log.connection_refused",
        names_host=True,
        about_host=True,
        yields_to=("log.dns_failure",),
        says=r"""
        connection refused|ECONNREFUSED|actively refused|could not connect to server
        connect ETIMEDOUT
        no route to host|EHOSTUNREACH|network is unreachable|ENETUNREACH
        all host(?:\(s\)|s) tried|NoHostAvailable|no brokers available
        (?:redis|kafka|broker|database|postgres\w*|mysql|mongo\w*)\b.{0,40}(?:not available
        +|unavailable|unreachable|is down)
        """,
    ),
    Pattern(
        signal="log.connection_refused",
        rank=1,
        names_host=True,
        about_host=True,
        says=r"""
        (?:failed|unable|could not|cannot|can't) (?:to )?connect\b
        connection (?:attempt )?(?:to \S{1,80} )?failed
        """,
    ),
    Pattern(
        signal="log.connection_reset",
        rank=1,
        names_host=True,
        about_host=True,
        yields_to=("log.connection_refused",),
        says=r"""
        connection reset|ECONNRESET|broken pipe|EPIPE|unexpected EOF|socket hang up
        server closed the connection|connection (?:was )?(?:aborted|lost)
        connection (?:was )?(?:forcibly |unexpectedly )?closed (?:by (?:the )?(?:peer|server|remote
        +|upstream|foreign)|unexpectedly|before)
        """,
    ),
    Pattern(
        signal="log.slow_call",
        names_host=True,
        about_host=True,
        says=r"""
        \bslow (?:query|call|request|response)\b(?! log)
        \b(?:query|statement|call|request|response)\b.{0,60}\btook (?:[1-9]\d{3,} ?ms
        +|[1-9]\d*(?:\.\d+)? ?(?:s\b|sec|min))
        """,
    ),
    Pattern(
        signal="log.upstream_error",
        rank=1,
        names_host=True,
        about_host=True,
        needs_host=True,
        yields_to=("log.connection_refused", "log.connection_reset", "log.timeout"),
        says=r"""
        \b(?:upstream|downstream|dependency|backend|remote|call|request|response|fetch|proxy|GET
        +|POST|PUT)\b.{0,100}(?:[-=]>|:) ?5\d\d@no_amount
        @status5\d\d@no_amount|\b5\d\d (?:server error|internal server error|bad gateway
        +|service unavailable|gateway time-?out)
        no healthy upstream|upstream (?:connect error|request failed|unavailable)
        circuit ?breaker.{0,40}open|service unavailable|\bUNAVAILABLE\b
        \b(?:call|request)(?:s|ing)? (?:to|from|of)?.{0,60}\bfail(?:ed|ing|s)?\b
        """,
    ),
    Pattern(
        signal="log.timeout",
        rank=1,
        names_host=True,
        about_host=True,
        yields_to=("log.connection_refused",),
        says=r"""
        timed[ -]?out|time ?out(?!\w*['\"]?(?: ?[=:] ?['\"]?\d| \d| (?:is|of|to|set|was set)\b))
        timeout of \S+ (?:\w+ )?exceeded|deadline exceeded|DEADLINE_EXCEEDED|ETIMEDOUT
        """,
    ),
)  # fmt: skip

_UNSPECIFIC = (
    Pattern(
        signal="log.server_error",
        rank=2,
        says=r"""
        @status50\d@no_amount|\" 50\d@no_amount|\b50\d (?:internal server error|bad gateway)
        """,
    ),
    Pattern(
        signal="log.exception",
        rank=3,
        deniable=False,
        says=r"""
        (?<![\w+])(?P<exception>(?-i:[A-Z][A-Za-z]+(?:Exception|Error)))\b
        traceback \(most recent|panic:|fatal error|segmentation fault|SIGSEGV|stack overflow
        unhandled ?(?:\w+ ?){0,2}?(?:exception|error|rejection)|uncaught\b|assertion failed
        core dumped
        """,
    ),
)

PATTERNS: tuple[Pattern, ...] = (
    *_CONFIGURATION,
    *_CREDENTIALS,
    *_RESOURCES,
    *_CALLED,
    *_UNSPECIFIC,
)

HOSTS = r"""
\w+://(?:[^@\s/'\"]*@)?@host
outbound\|\d+\|[^|]*\|@host
\b(?:lookup|dial tcp|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UnknownHostException:) @host
\b(?:host(?:name)?|upstream|peer|dependency|target)['\"]?\s*[=:]\s*['\"]?@host
\b@host:\d{2,5}\b
\b(?P<host>[a-z]\w*(?:-\w+)*-(?:service|svc|api|db|database|server|gateway|cache|queue|broker))\b
"""
"""Where a line names the host it speaks of, the most explicit form first."""

NOT_HOSTS = r"""
\.(?:py|go|js|ts|java|rb|cs|php|rs|c|cc|cpp|kt|scala|html?|ya?ml|json|log)$
^(?:error|warn|warning|info|debug|line|port|code|status|pid|time|level|exit|errno)$
"""
"""What looks like a host with a port but is a source file or a field of the line."""
