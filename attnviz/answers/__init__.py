"""One function per question: what the commands answer, for scripts and notebooks too."""
