package disk

import (
	"fmt"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Names in the folder.
const (
	lockName       = "lock"
	tempDir        = "tmp"
	quarantineDir  = "quarantine"
	currentVersion = "v1"
)

// at turns a path below the folder, with slashes, into a name for the file system.
func (c *Config) at(rel string) string { return filepath.Join(c.Dir, filepath.FromSlash(rel)) }

// quarantineName begins with the time, so that names sort by age, and ends with the block's name.
func quarantineName(blockPath string, now time.Time) string {
	return path.Join(quarantineDir, fmt.Sprintf("%020d-%s", now.UnixNano(), path.Base(blockPath)))
}

// isBlockPath tells whether a path has the form of kv.Ref.Path.
func isBlockPath(rel string) bool {
	parts := strings.Split(rel, "/")
	if len(parts) != 5 || parts[0] != currentVersion {
		return false
	}
	name, tail, isTail := strings.Cut(parts[4], ".")
	return isHex(parts[1], 64) && isHex(parts[2], 16) && isHex(name, 64) && parts[3] == name[:2] &&
		(!isTail || isHex(tail, 64))
}

func isHex(text string, digits int) bool {
	return len(text) == digits && strings.Trim(text, "0123456789abcdef") == ""
}

// isOtherVersion tells whether a path belongs to an older or newer version's blocks.
func isOtherVersion(rel string) bool {
	top, _, below := strings.Cut(rel, "/")
	digits, versioned := strings.CutPrefix(top, "v")
	_, err := strconv.ParseUint(digits, 10, 32)
	return below && versioned && err == nil && top != currentVersion
}

// foldersOf are the folders above a path from the top on, without the tier's own.
func foldersOf(rel string) (folders []string) {
	for i, c := range rel {
		if c == '/' {
			folders = append(folders, rel[:i])
		}
	}
	return folders
}
