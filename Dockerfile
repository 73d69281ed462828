# The image of one node. `make image` stages what it copies and builds it; BASE can be any Debian 12 with bash.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
COPY root/ /
# The server runs as nobody in particular and writes below /var/lib/agent-memory only: the root may be read-only.
RUN mkdir -p /var/lib/agent-memory && chown 10001:10001 /var/lib/agent-memory && chmod 700 /var/lib/agent-memory
USER 10001:10001
VOLUME /var/lib/agent-memory
# The embedded model is very small: at a temperature above 0 it answers nonsense. Set both for another model.
ENV PATH=/opt/agent-memory/bin:/usr/local/bin:/usr/bin:/bin \
    SEMANTIC_AGENT_CACHE_DIR=/var/lib/agent-memory \
    SEMANTIC_MLX_TEMPERATURE=0 \
    SEMANTIC_MLX_MODEL_ID=/opt/agent-memory/share/SmolLM2-135M-Instruct.Q4_1.gguf
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD bash -c 'exec 3<>/dev/tcp/127.0.0.1/${SEMANTIC_SERVER_PORT:-8000} && printf "GET /health/ready HTTP/1.0\r\nHost: localhost\r\n\r\n" >&3 && head -n 1 <&3 | grep -q " 200 "'
ENTRYPOINT ["/opt/agent-memory/bin/agent-memory"]
CMD ["serve"]
