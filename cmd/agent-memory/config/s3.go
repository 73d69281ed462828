package config

import (
	"errors"
	"fmt"
	"strings"
)

// complete refuses settings of a bucket that can't work, and ends a prefix with a slash.
func (s *S3) complete() error {
	switch {
	case s.Bucket == "" && (s.Endpoint != "" || s.Prefix != "" || s.AccessKey != ""):
		return errors.New("SEMANTIC_S3_BUCKET: is empty, but other settings of S3 are given; name the bucket, or give none of them")
	case (s.AccessKey == "") != (s.SecretKey == ""):
		return errors.New("SEMANTIC_S3_SECRET_KEY: give both it and SEMANTIC_S3_ACCESS_KEY, or neither")
	case s.Bucket != "" && len(s.Bucket) < 3:
		return fmt.Errorf("SEMANTIC_S3_BUCKET: %q is too short; names of buckets have at least 3 characters", s.Bucket)
	}
	s.Prefix = strings.Trim(s.Prefix, "/")
	if s.Prefix != "" {
		s.Prefix += "/"
	}
	return nil
}

// IsUsed tells whether there is a bucket.
func (s *S3) IsUsed() bool { return s.Bucket != "" }
