FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    DJANGO_SETTINGS_MODULE=helpdesk.settings \
    VAR_DIR=/var/lib/helpdesk

# A named volume that is mounted here for the first time takes over the folder's owner.
RUN groupadd --gid 10001 helpdesk \
    && useradd --uid 10001 --gid helpdesk --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin helpdesk \
    && install -d -o helpdesk -g helpdesk -m 0700 /var/lib/helpdesk

WORKDIR /app
COPY requirements.txt .
RUN pip install --require-hashes -r requirements.txt
COPY . .
# The keys of this one command are thrown away: there is none in the image.
RUN HELPDESK_KEYS=throwaway python manage.py collectstatic --noinput

USER helpdesk
EXPOSE 8000 2525
CMD ["uvicorn", "helpdesk.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--no-proxy-headers"]
