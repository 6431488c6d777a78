-- CreateIndex
CREATE INDEX "past_request_finished_idx" ON "past_request"("finished_at");

SELECT grant_service_role();
