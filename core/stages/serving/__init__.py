"""`ft serve`: a model behind HTTP. FastAPI and uvicorn are imported here and nowhere else."""
