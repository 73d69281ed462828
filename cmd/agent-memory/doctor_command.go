package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/cmd/agent-memory/doctor"
	"github.com/agent-memory/agent-memory/platform/objectstore"
	"github.com/agent-memory/agent-memory/platform/vfs"
	"github.com/alecthomas/kong"
)

type doctorCommand struct{ printed }

// Run looks whether a server can run here. A problem is an error, a warning is not.
func (c doctorCommand) Run(ctx context.Context, cfg *config.Config, app *kong.Kong, to streams) error {
	if err := cfg.Complete(); err != nil {
		return err
	}
	checks, err := checksOf(cfg)
	if err != nil {
		return err
	}
	findings := append(examineNames(app), doctor.Examine(ctx, checks)...)
	err = c.print(to, findings, func(t *tabwriter.Writer) {
		fmt.Fprintln(t, "CHECK\tSTATE\tFOUND")
		for _, f := range findings {
			fmt.Fprintf(t, "%s\t%s\t%s\n", f.Check, f.State, f.Found)
			if f.Advice != "" {
				fmt.Fprintf(t, "\t\tdo: %s\n", f.Advice)
			}
		}
	})
	if n := doctor.Problems(findings); err == nil && n > 0 {
		return fmt.Errorf("look whether a server can run here: %d of %d checks found a problem; do what stands beside them", n, len(findings))
	}
	return err
}

// checksOf are the checks of what the settings name.
func checksOf(cfg *config.Config) ([]doctor.Check, error) {
	var bucket doctor.Bucket
	if c := cfg.S3; c.IsUsed() {
		opened, err := objectstore.Open(objectstore.Config{
			Endpoint: c.Endpoint, Bucket: c.Bucket, Prefix: c.Prefix, Region: c.Region, AccessKey: c.AccessKey, SecretKey: c.SecretKey, TLS: c.TLS,
		})
		if err != nil {
			return nil, err
		}
		bucket = opened
	}
	disk := doctor.Disk{
		Dir: cfg.Agent.CacheDir, Budget: cfg.Agent.DiskBudgetMB << 20, MinFree: cfg.Agent.DiskMinFreeMB << 20, Free: vfs.OS{}.Free,
	}
	return []doctor.Check{
		doctor.Model(cfg.MLX.ModelID),
		doctor.Memory("/", cfg.MLX.ModelID, cfg.MLX.CacheBudgetMB<<20),
		doctor.Processor("/", cfg.MLX.CPUISA),
		disk.Check(),
		doctor.Database(cfg.DatabaseURL, time.Now),
		doctor.Storage(bucket, adviseBucket),
		doctor.Port(net.JoinHostPort(cfg.Server.Host, strconv.Itoa(cfg.Server.Port))),
	}, nil
}

// examineNames looks for mistyped settings.
func examineNames(app *kong.Kong) (findings []doctor.Finding) {
	for _, u := range unknownSettings(app) {
		findings = append(findings, doctor.Finding{
			Check: "settings", State: doctor.Warning, Found: u.Name + " is no setting, and has no effect" + meant(u.Nearest),
			Advice: "take it out of the environment, or write its name right; `agent-memory config` has them all",
		})
	}
	return findings
}
