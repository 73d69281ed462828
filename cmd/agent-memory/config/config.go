// Package config has the settings of the server. Each is an environment variable and a flag of the same
// meaning; defaults live in the tags below and nowhere else.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/agent-memory/agent-memory/platform/settings"
)

// Config are the effective settings.
type Config struct {
	Server Server `embed:"" prefix:"server-"`
	MLX    MLX    `embed:"" prefix:"mlx-"`
	Agent  Agent  `embed:"" prefix:"agent-"`
	S3     S3     `embed:"" prefix:"s3-"`

	DatabaseURL string `name:"database-url" env:"SEMANTIC_DATABASE_URL" secret:"" help:"postgres://user:password@host/name of the database that nodes share. Without it records lie in a file in the cache folder."`

	AdminKey string `name:"admin-key" env:"SEMANTIC_ADMIN_KEY" secret:"" help:"Key of operators, for all under /admin: by it API keys are made. It counts as a key: with it the server listens on all addresses and asks for keys."`

	APIKeys []string `name:"api-keys" env:"ANTHROPIC_API_KEY" secret:"" help:"Keys that clients may use beside those that agent-memory keys create makes, separated by commas. Without one and without an admin key the server listens on loopback only."`
}

// Server are the settings of the HTTP side.
type Server struct {
	Host               string         `env:"SEMANTIC_SERVER_HOST" help:"Address to listen on. Default 0.0.0.0, and 127.0.0.1 without API keys."`
	Port               int            `env:"SEMANTIC_SERVER_PORT" default:"8000" help:"Port to listen on; 0 takes a free one."`
	LogLevel           string         `env:"SEMANTIC_SERVER_LOG_LEVEL" default:"INFO" help:"DEBUG, INFO, WARNING, ERROR, or PRODUCTION for JSON lines at info."`
	LogFile            string         `env:"SEMANTIC_SERVER_LOG_FILE" help:"File to append the log to instead of stderr."`
	CORSOrigins        []string       `name:"cors-origins" env:"SEMANTIC_SERVER_CORS_ORIGINS" default:"*" help:"Origins whose pages may call the API, separated by commas."`
	RateLimitPerAgent  int            `env:"SEMANTIC_SERVER_RATE_LIMIT_PER_AGENT" default:"60" help:"Requests a minute of one agent, or of one key without an agent; 0 for no limit."`
	RateLimitGlobal    int            `env:"SEMANTIC_SERVER_RATE_LIMIT_GLOBAL" default:"1000" help:"Requests a minute of this node; 0 for no limit."`
	RateLimitPerTenant int            `env:"SEMANTIC_SERVER_RATE_LIMIT_PER_TENANT" default:"0" help:"Requests a minute of all keys and agents of one tenant on this node; 0 for no limit."`
	DrainSeconds       int            `env:"SEMANTIC_SERVER_DRAIN_SECONDS" default:"30" help:"Seconds that running requests have to finish at shutdown."`
	Audit              settings.Share `env:"SEMANTIC_SERVER_AUDIT" default:"0" help:"1/N: one request in N is computed again without any cache, while nothing else runs, and compared bit for bit; 0 for none."`
	MaxQueue           int            `env:"SEMANTIC_SERVER_MAX_QUEUE" default:"256" help:"Most requests that wait for a slot. A tenant with less than an even share of the places is let in beyond, up to twice as many in all."`
	MaxWaitSeconds     int            `env:"SEMANTIC_SERVER_MAX_WAIT_SECONDS" default:"120" help:"Seconds that a request waits for a slot before it is answered with 503; 0 for no limit."`
	KeepAttribution    bool           `env:"SEMANTIC_SERVER_KEEP_ATTRIBUTION" help:"Leave the line x-anthropic-billing-header in prompts, with which Claude Code begins its system prompt and which changes from turn to turn."`
	ModelAliases       []string       `env:"SEMANTIC_SERVER_MODEL_ALIASES" help:"Further model ids that stand for the loaded model, separated by commas."`
	UnknownModel       string         `env:"SEMANTIC_SERVER_UNKNOWN_MODEL" default:"refuse" help:"What is done with a request that names a model which is not loaded: refuse (404), alias (the loaded model answers), or swap (it waits until that model is loaded, if it is one of those that GET /v1/models lists)."`
}

// MLX are the settings of inference.
type MLX struct {
	ModelID         string  `name:"model-id" env:"SEMANTIC_MLX_MODEL_ID" default:"mlx-community/gemma-2-2b-it-4bit" help:"Hugging Face repository, folder or .gguf file."`
	CacheBudgetMB   int64   `name:"cache-budget-mb" env:"SEMANTIC_MLX_CACHE_BUDGET_MB,SEMANTIC_CACHE_BUDGET_MB" default:"2048" help:"Megabytes (2^20 bytes) for the KV of all conversations."`
	TenantPercent   int     `name:"tenant-percent" env:"SEMANTIC_MLX_TENANT_PERCENT" default:"100" help:"Percent of the KV budget that a tenant keeps when memory is needed: one with more loses its own before others lose any."`
	MaxBatchSize    int     `env:"SEMANTIC_MLX_MAX_BATCH_SIZE" default:"4" help:"Most requests that run at once."`
	PrefillStepSize int     `env:"SEMANTIC_MLX_PREFILL_STEP_SIZE" default:"512" help:"Most prompt tokens computed between two tokens of the others."`
	Device          string  `env:"SEMANTIC_MLX_DEVICE" default:"auto" help:"auto, cpu or gpu."`
	KVBits          int     `name:"kv-bits" env:"SEMANTIC_MLX_KV_BITS" default:"16" help:"Bits of KV at rest: 16, or 8 or 4 for smaller files that are not exact."`
	DType           string  `name:"dtype" env:"SEMANTIC_MLX_DTYPE" default:"auto" help:"auto or float32."`
	Temperature     float64 `env:"SEMANTIC_MLX_TEMPERATURE" default:"1" help:"Sampling temperature of requests that bring none, 0 to 1; very small models need a low one."`
	MemoryCheck     string  `env:"SEMANTIC_MLX_MEMORY_CHECK" default:"refuse" help:"refuse or warn: what is done with a model that does not fit into free memory together with the KV budget."`
	ChatTemplate    string  `name:"chat-template" env:"SEMANTIC_MLX_CHAT_TEMPLATE" help:"Chat template instead of the model's own: a file, or chatml, llama3, gemma, phi3 or mistral."`
	CPUISA          string  `name:"cpu-isa" env:"SEMANTIC_MLX_CPU_ISA" default:"auto" help:"auto, amx, avx512, avx2 or plain."`
}

// Agent are the settings of what is kept for agents.
type Agent struct {
	CacheDir          string        `env:"SEMANTIC_AGENT_CACHE_DIR" default:"~/.cache/agent_memory" help:"Folder for what is kept on disk."`
	MaxAgentsInMemory int           `env:"SEMANTIC_AGENT_MAX_AGENTS_IN_MEMORY" default:"100" help:"Most agents whose memory stays in the pool; 0 for no limit."`
	DiskBudgetMB      int64         `name:"disk-budget-mb" env:"SEMANTIC_AGENT_DISK_BUDGET_MB" default:"20480" help:"Megabytes (2^20 bytes) that blocks may take on disk, all files in their folder counted."`
	DiskTenantPercent int           `name:"disk-tenant-percent" env:"SEMANTIC_AGENT_DISK_TENANT_PERCENT" default:"100" help:"Percent of the disk budget that a tenant keeps when room is needed: one with more loses its own blocks before others lose any."`
	DiskMinFreeMB     int64         `name:"disk-min-free-mb" env:"SEMANTIC_AGENT_DISK_MIN_FREE_MB" default:"1024" help:"Megabytes that stay free on the disk."`
	TTL               time.Duration `name:"ttl" env:"SEMANTIC_AGENT_TTL" default:"720h" help:"What nobody used for so long is deleted; 0 for never."`
}

// S3 are the settings of the bucket that all nodes share.
type S3 struct {
	Endpoint  string `env:"SEMANTIC_S3_ENDPOINT" help:"Address of S3-compatible storage: host:port, or a URL. Default: Amazon's."`
	Bucket    string `env:"SEMANTIC_S3_BUCKET" help:"Bucket for blocks; it must exist. Without one nothing is kept beyond this node's disk."`
	Prefix    string `env:"SEMANTIC_S3_PREFIX" help:"What the names of all objects begin with."`
	Region    string `env:"SEMANTIC_S3_REGION" help:"Region of the bucket. Default: us-east-1."`
	AccessKey string `env:"SEMANTIC_S3_ACCESS_KEY" secret:"" help:"Access key. Without one: the usual chain of Amazon's clients."`
	SecretKey string `env:"SEMANTIC_S3_SECRET_KEY" secret:"" help:"Secret key that belongs to it."`
	TLS       bool   `name:"tls" env:"SEMANTIC_S3_TLS" default:"true" negatable:"" help:"Whether an endpoint without a scheme is reached by HTTPS."`
}

// Complete refuses values that can't work, naming the variable, and fills in those that depend on others.
func (c *Config) Complete() error {
	for _, problem := range []error{
		settings.Between("SEMANTIC_SERVER_PORT", int64(c.Server.Port), 0, 65535),
		settings.Between("SEMANTIC_SERVER_RATE_LIMIT_PER_AGENT", int64(c.Server.RateLimitPerAgent), 0, 1_000_000_000),
		settings.Between("SEMANTIC_SERVER_RATE_LIMIT_GLOBAL", int64(c.Server.RateLimitGlobal), 0, 1_000_000_000),
		settings.Between("SEMANTIC_SERVER_RATE_LIMIT_PER_TENANT", int64(c.Server.RateLimitPerTenant), 0, 1_000_000_000),
		settings.Between("SEMANTIC_SERVER_DRAIN_SECONDS", int64(c.Server.DrainSeconds), 0, 86400),
		settings.Between("SEMANTIC_SERVER_MAX_QUEUE", int64(c.Server.MaxQueue), 1, 1_000_000),
		settings.Between("SEMANTIC_SERVER_MAX_WAIT_SECONDS", int64(c.Server.MaxWaitSeconds), 0, 86400),
		settings.Between("SEMANTIC_MLX_CACHE_BUDGET_MB", c.MLX.CacheBudgetMB, 1, 1<<30),
		settings.Between("SEMANTIC_MLX_TENANT_PERCENT", int64(c.MLX.TenantPercent), 1, 100),
		settings.Between("SEMANTIC_AGENT_DISK_TENANT_PERCENT", int64(c.Agent.DiskTenantPercent), 1, 100),
		settings.Between("SEMANTIC_MLX_MAX_BATCH_SIZE", int64(c.MLX.MaxBatchSize), 1, 1024),
		temperature(c.MLX.Temperature),
		settings.Between("SEMANTIC_MLX_PREFILL_STEP_SIZE", int64(c.MLX.PrefillStepSize), 1, 1<<20),
		settings.OneOf("SEMANTIC_SERVER_LOG_LEVEL", &c.Server.LogLevel, "DEBUG", "INFO", "WARNING", "ERROR", "PRODUCTION"),
		settings.OneOf("SEMANTIC_SERVER_UNKNOWN_MODEL", &c.Server.UnknownModel, "refuse", "alias", "swap"),
		settings.OneOf("SEMANTIC_MLX_DEVICE", &c.MLX.Device, "auto", "cpu", "gpu"),
		settings.OneOf("SEMANTIC_MLX_DTYPE", &c.MLX.DType, "auto", "float32"),
		settings.OneOf("SEMANTIC_MLX_CPU_ISA", &c.MLX.CPUISA, "auto", "amx", "avx512", "avx2", "plain"),
		settings.OneOf("SEMANTIC_MLX_MEMORY_CHECK", &c.MLX.MemoryCheck, "refuse", "warn"),
		settings.Given("SEMANTIC_MLX_MODEL_ID", c.MLX.ModelID),
		kvBits(c.MLX.KVBits),
		settings.Between("SEMANTIC_AGENT_MAX_AGENTS_IN_MEMORY", int64(c.Agent.MaxAgentsInMemory), 0, 1_000_000_000),
		settings.Between("SEMANTIC_AGENT_DISK_BUDGET_MB", c.Agent.DiskBudgetMB, 16, 1<<40),
		settings.Between("SEMANTIC_AGENT_DISK_MIN_FREE_MB", c.Agent.DiskMinFreeMB, 0, 1<<40),
		settings.Between("SEMANTIC_AGENT_TTL", int64(c.Agent.TTL), 0, 1<<62),
		settings.ExpandHome("SEMANTIC_AGENT_CACHE_DIR", &c.Agent.CacheDir),
		c.S3.complete(),
		databaseURL(c.DatabaseURL),
	} {
		if problem != nil {
			return problem
		}
	}
	c.APIKeys = settings.WithoutBlanks(c.APIKeys)
	c.Server.ModelAliases = settings.WithoutBlanks(c.Server.ModelAliases)
	c.Server.CORSOrigins = settings.WithoutBlanks(c.Server.CORSOrigins)
	return c.checkHost()
}

// checkHost fills in the address to listen on and refuses a public one without keys.
func (c *Config) checkHost() error {
	if c.Server.Host == "" {
		c.Server.Host = "0.0.0.0"
		if c.Keyless() {
			c.Server.Host = "127.0.0.1"
		}
	}
	if c.Keyless() && !isLoopback(c.Server.Host) {
		return fmt.Errorf("SEMANTIC_SERVER_HOST: %q can be reached from outside, but no API key is set; set ANTHROPIC_API_KEY or SEMANTIC_ADMIN_KEY, or listen on 127.0.0.1",
			c.Server.Host)
	}
	return nil
}

// Keyless tells whether the settings have no key at all, so that the server is for this machine only.
func (c *Config) Keyless() bool { return len(c.APIKeys) == 0 && c.AdminKey == "" }

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func temperature(t float64) error {
	if t >= 0 && t <= 1 {
		return nil
	}
	return fmt.Errorf("SEMANTIC_MLX_TEMPERATURE is %g; it must be between 0 and 1", t)
}

func kvBits(bits int) error {
	if bits == 16 || bits == 8 || bits == 4 {
		return nil
	}
	return fmt.Errorf("SEMANTIC_MLX_KV_BITS is %d; it must be 16, 8 or 4", bits)
}

// databaseURL checks what can be told without connecting. The URL may hold a password, so it is never told.
func databaseURL(address string) error {
	u, err := url.Parse(address)
	if address == "" || err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") {
		return nil
	}
	return errors.New("SEMANTIC_DATABASE_URL: it must be postgres://user:password@host:port/name, or empty for a file in the cache folder")
}
