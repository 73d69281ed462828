module github.com/agent-memory/agent-memory

go 1.26.0

require (
	github.com/dlclark/regexp2 v1.12.0
	golang.org/x/text v0.43.0
)

require pgregory.net/rapid v1.3.0
