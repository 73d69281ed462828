package doctor

import (
	"context"
	"errors"
	"os"
	"time"
)

// Disk describes the folder on which blocks are kept.
type Disk struct {
	Dir     string
	Budget  int64
	MinFree int64
	Free    func(dir string) (int64, error)
}

const (
	probeBytes = 16 << 20
	slowBytes  = 50 << 20 // a second: below it, a small model computes faster than the disk reads
)

// Check writes a file where blocks will lie, and removes it.
func (d Disk) Check() Check {
	return Check{"disk", func(context.Context) Finding {
		if err := os.MkdirAll(d.Dir, 0o700); err != nil {
			return problem("give SEMANTIC_AGENT_CACHE_DIR a folder that this user may write", "%v", err)
		}
		free, err := d.Free(d.Dir)
		if err != nil {
			return problem("check SEMANTIC_AGENT_CACHE_DIR", "%v", err)
		}
		if free-probeBytes < d.MinFree {
			return problem("free space, or lower SEMANTIC_AGENT_DISK_MIN_FREE_MB", "%s has %s free, and %s must stay so: nothing would be kept", d.Dir, megabytes(free), megabytes(d.MinFree))
		}
		took, err := writeProbe(d.Dir)
		if err != nil {
			return problem("give SEMANTIC_AGENT_CACHE_DIR a folder on a disk that this user may write", "%v", err)
		}
		return d.judge(free, int64(probeBytes/took.Seconds()))
	}}
}

func (d Disk) judge(free, speed int64) Finding {
	info, err := os.Stat(d.Dir)
	switch {
	case err == nil && info.Mode().Perm()&0o077 != 0:
		return warning("chmod go-rwx "+d.Dir, "others can reach %s, and with it what agents said", d.Dir)
	case free-d.MinFree < d.Budget:
		return warning("free space, or lower SEMANTIC_AGENT_DISK_BUDGET_MB", "%s has %s free, which is less than the budget of %s", d.Dir, megabytes(free), megabytes(d.Budget))
	case speed < slowBytes:
		return warning("take a faster disk", "%s takes %s a second", d.Dir, megabytes(speed))
	}
	return ok("%s has %s free and takes %s a second", d.Dir, megabytes(free), megabytes(speed))
}

// writeProbe writes a file through to the disk, and tells how long that took.
func writeProbe(dir string) (took time.Duration, err error) {
	file, err := os.CreateTemp(dir, "doctor-*")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	began := time.Now()
	_, err = file.Write(make([]byte, probeBytes))
	err = errors.Join(err, file.Sync(), file.Close())
	return max(time.Since(began), time.Microsecond), err
}
