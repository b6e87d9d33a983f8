# Included by llama.cpp's own project: what only its command-line tools need is not built.
set(LLAMA_BUILD_COMMON OFF)
