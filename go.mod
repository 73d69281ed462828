module github.com/agent-memory/agent-memory

go 1.26
