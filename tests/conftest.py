from hypothesis import settings

settings.register_profile("shared cores", deadline=None)  # a busy machine is no failure
settings.load_profile("shared cores")
